"""Captions by a local model: BLIP-2, which the paper used, or any image-to-text model of transformers.

Greedy, so that a picture always gets the same words. Half precision on a GPU, single on a CPU, where BLIP-2 takes
about 15 GB and a minute a picture: there the tags backend is the sensible choice.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any

from cotpd.devices import pick_device
from cotpd.errors import ConfigError, ModelError
from cotpd.images.captioner import Description, PictureCaptioner
from cotpd.images.params import CaptionParams
from cotpd.images.pictures import Picture
from cotpd.weights import resolve

if TYPE_CHECKING:
    import torch

WORDING = "Describe the picture in one sentence."  # asked of models that chat; BLIP's kind needs no question


class TransformersCaptioner(PictureCaptioner):
    """A model of transformers' image-text-to-text family.

    Args:
        params: ``model`` is a hub name or a folder with safetensors weights and the processor's files.

    Raises:
        ConfigError: ``params.model`` is null, or the device is not there.
    """

    backend = "transformers"

    def __init__(self, params: CaptionParams) -> None:
        if not params.model:
            remedy = "For example Salesforce/blip2-opt-2.7b, or a folder."
            raise ConfigError("caption.model: the transformers backend needs a model", remedy)
        self._name = params.model
        self._max_tokens = params.max_tokens
        self.batch_size = params.batch_size
        self._device_name = params.device
        pick_device(params.device)  # refuse one that is not there before the first picture is read

    @cached_property
    def processor(self) -> Any:
        """The processor, which prepares pictures and turns tokens into words.

        Raises:
            ModelError: The model has none, or it needs a package that is not installed.
        """
        from transformers import AutoProcessor  # noqa: PLC0415  takes seconds

        with _explain_errors(self._name):
            # Pillow resizes for every model alike and needs no torchvision.
            processor = AutoProcessor.from_pretrained(self._source, backend="pil", trust_remote_code=False)
        if not hasattr(processor, "image_processor") or not hasattr(processor, "batch_decode"):
            raise ModelError(
                f"{self._name}: has no processor for both pictures and text",
                "Choose a model that comes with one, such as Salesforce/blip-image-captioning-base.",
            )
        return processor

    @cached_property
    def model(self) -> Any:
        """The model on its device, ready to generate.

        Raises:
            ModelError: It cannot be loaded.
        """
        from transformers import AutoModelForImageTextToText  # noqa: PLC0415  takes seconds

        with _explain_errors(self._name):
            model: Any = AutoModelForImageTextToText.from_pretrained(
                self._source, dtype=_choose_precision(self._device), use_safetensors=True, trust_remote_code=False
            )
        return model.to(self._device).eval()

    @cached_property
    def _device(self) -> "torch.device":
        """The device, picked where pictures are described, which may be another machine.

        Raises:
            ConfigError: It is not there.
        """
        return pick_device(self._device_name)

    @cached_property
    def _source(self) -> str:
        return str(resolve(self._name))

    def describe(self, pictures: Sequence[Picture]) -> list[Description]:
        """Describe each picture in its order.

        Raises:
            ModelError: The model cannot be loaded, or does not go with its processor.
        """
        import torch  # noqa: PLC0415  takes seconds

        processor, model = self.processor, self.model
        with torch.inference_mode(), _explain_errors(self._name):
            inputs = self._prepare(pictures).to(self._device, dtype=model.dtype)
            tokens = model.generate(**inputs, max_new_tokens=self._max_tokens, do_sample=False)
            # Models that chat repeat the question before their answer.
            question_length = inputs["input_ids"].shape[1] if "input_ids" in inputs else 0
            # shape: (pictures, length)
            texts = processor.batch_decode(tokens[:, question_length:], skip_special_tokens=True)
        return [_build_description(picture, text) for picture, text in zip(pictures, texts, strict=True)]

    def _prepare(self, pictures: Sequence[Picture]) -> Any:
        images = [picture.image for picture in pictures]
        if not getattr(self.processor, "chat_template", None):
            return self.processor(images=images, return_tensors="pt")
        content = [{"type": "image"}, {"type": "text", "text": WORDING}]
        question = self.processor.apply_chat_template(
            [{"role": "user", "content": content}], add_generation_prompt=True
        )
        self.processor.tokenizer.padding_side = "left"  # answers begin where questions end
        return self.processor(
            images=[[image] for image in images],
            text=[question] * len(images),
            padding=True,
            return_tensors="pt",
        )


def _build_description(picture: Picture, text: str) -> Description:
    words = text.strip()
    return Description(words or None, "" if words else f"{picture.name}: the model said nothing: try another one")


def _choose_precision(device: "torch.device") -> "torch.dtype":
    import torch  # noqa: PLC0415  takes seconds

    if device.type == "cpu":
        return torch.float32
    if device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False):
        return torch.bfloat16
    return torch.float16


@contextmanager
def _explain_errors(name: str) -> Iterator[None]:
    """Turn an error of transformers about a model into one that names the model and a remedy."""
    from safetensors import SafetensorError  # noqa: PLC0415  imports torch

    remedies: dict[type[Exception], str] = {
        SafetensorError: "The weights are damaged: fetch them anew.",
        ImportError: "It needs a package that is not installed; choose another model, or install what it names.",
        OSError: "Name a folder with config.json, safetensors and processor files, or a hub name in reach.",
        ValueError: "Choose an image-to-text model, such as Salesforce/blip2-opt-2.7b.",
        TypeError: "Its files and this version of transformers do not go together: choose a newer revision.",
        RuntimeError: "Lower caption.batch_size if memory ran out; else the files may be damaged.",
    }
    try:
        yield
    except tuple(remedies) as error:
        remedy = next(remedy for kind, remedy in remedies.items() if isinstance(error, kind))
        lines = str(error).strip().splitlines() or [type(error).__name__]
        raise ModelError(f"{name}: {lines[0]}", remedy) from error
