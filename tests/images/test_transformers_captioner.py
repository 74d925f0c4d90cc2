"""BLIP-2 from end to end, on a checkpoint of a few thousand weights that is made and saved here."""

import json
import shutil
from contextlib import suppress
from pathlib import Path

import pytest
from PIL import Image

from cotpd.errors import ConfigError, ModelError
from cotpd.images.params import CaptionParams
from cotpd.images.pictures import Picture
from cotpd.images.transformers_captioner import TransformersCaptioner

WORDS = ["<pad>", "<s>", "</s>", "<image>", "a", "picture", "of", "red", "green", "cat", "dog", "on"]


SIZE = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
IDS = {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}
IMAGE = WORDS.index("<image>")
TEMPLATE = (
    "{% for part in messages[0]['content'] %}{{ '<image>' if part['type'] == 'image' else 'of on' }} {% endfor %}"
)


def make_tokenizer():
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    words = Tokenizer(models.WordLevel({word: number for number, word in enumerate(WORDS)}, unk_token="<pad>"))
    words.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    special = {"pad_token": "<pad>", "bos_token": "<s>", "eos_token": "</s>"}
    return PreTrainedTokenizerFast(tokenizer_object=words, additional_special_tokens=["<image>"], **special)


def save(model, processor, folder: Path) -> Path:
    """Random weights, far from the tie that small ones are, with words likelier than special tokens."""
    import torch

    torch.manual_seed(1)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(std=2)
        model.get_output_embeddings().weight[:4] = 0
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def blip2(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A BLIP-2 with an OPT of two layers: it takes a picture and no question."""
    import transformers
    from transformers.models.blip.image_processing_pil_blip import BlipImageProcessorPil

    text = transformers.OPTConfig(
        vocab_size=len(WORDS),
        hidden_size=16,
        word_embed_proj_dim=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        ffn_dim=16,
        max_position_embeddings=64,
        **IDS,
    )
    config = transformers.Blip2Config(
        vision_config=transformers.Blip2VisionConfig(**SIZE, image_size=28, patch_size=14).to_dict(),
        qformer_config=transformers.Blip2QFormerConfig(
            **SIZE, encoder_hidden_size=16, vocab_size=len(WORDS)
        ).to_dict(),
        text_config=text.to_dict(),
        num_query_tokens=4,
        image_token_index=IMAGE,
    )
    images = BlipImageProcessorPil(size={"height": 28, "width": 28})
    processor = transformers.Blip2Processor(images, make_tokenizer(), num_query_tokens=4)
    return save(transformers.Blip2ForConditionalGeneration(config), processor, tmp_path_factory.mktemp("blip2"))


@pytest.fixture(scope="session")
def llava(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A LLaVA with a Llama of one layer: it is asked in a chat, and repeats the question before its answer."""
    from transformers import (
        CLIPVisionConfig,
        LlamaConfig,
        LlavaConfig,
        LlavaForConditionalGeneration,
        LlavaProcessor,
    )
    from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

    config = LlavaConfig(
        vision_config=CLIPVisionConfig(**SIZE, image_size=28, patch_size=14).to_dict(),
        text_config=LlamaConfig(**SIZE, vocab_size=len(WORDS), num_key_value_heads=2, **IDS).to_dict(),
        image_token_index=IMAGE,
        vision_feature_layer=-1,
    )
    images = CLIPImageProcessorPil(size={"shortest_edge": 28}, crop_size={"height": 28, "width": 28})
    processor = LlavaProcessor(
        images,
        make_tokenizer(),
        patch_size=14,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        chat_template=TEMPLATE,
    )
    return save(LlavaForConditionalGeneration(config), processor, tmp_path_factory.mktemp("llava"))


@pytest.fixture
def pictures() -> list[Picture]:
    return [Picture(name, Image.new("RGB", (40, 20), name)) for name in ("red", "green", "blue")]


def build_params(folder: Path | str, **more: object) -> CaptionParams:
    return CaptionParams(backend="transformers", model=str(folder), device="cpu", max_tokens=6, **more)


@pytest.mark.parametrize("checkpoint", ["blip2", "llava"])
def test_a_checkpoint_describes_a_batch_as_it_describes_each_picture(
    checkpoint: str, request: pytest.FixtureRequest, pictures: list[Picture]
) -> None:
    captioner = TransformersCaptioner(build_params(request.getfixturevalue(checkpoint), batch_size=3))
    together = captioner.describe(pictures)
    assert together == [captioner.describe([picture])[0] for picture in pictures]
    assert len({description.caption for description in together}) > 1, "what is said depends on the picture"
    for description in together:
        assert description.caption, description.problem
        assert set(description.caption.split()) <= set(WORDS[4:]), "special tokens do not belong into a caption"
        assert len(description.caption.split()) <= 6, "neither does the question"


def test_a_folder_without_a_model_is_an_error_with_a_remedy(tmp_path: Path, pictures: list[Picture]) -> None:
    with pytest.raises(ModelError, match=str(tmp_path)) as caught:
        TransformersCaptioner(build_params(tmp_path)).describe(pictures)
    assert caught.value.remedy


def test_a_checkpoint_without_a_processor_is_an_error_with_a_remedy(
    blip2: Path, tmp_path: Path, pictures: list[Picture]
) -> None:
    for name in ("config.json", "model.safetensors"):
        (tmp_path / name).symlink_to(blip2 / name)
    with pytest.raises(ModelError) as caught:
        TransformersCaptioner(build_params(tmp_path)).describe(pictures)
    assert caught.value.remedy


def test_damaged_weights_are_an_error_with_a_remedy(blip2: Path, tmp_path: Path, pictures: list[Picture]) -> None:
    for file in blip2.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes()[: 500 if file.suffix == ".safetensors" else None])
    with pytest.raises(ModelError) as caught:
        TransformersCaptioner(build_params(tmp_path)).describe(pictures)
    assert caught.value.remedy


def test_a_device_that_is_not_there_is_refused_at_once(blip2: Path) -> None:
    with pytest.raises(ConfigError, match="cuda:77"):
        TransformersCaptioner(build_params(blip2).model_copy(update={"device": "cuda:77"}))


@pytest.mark.parametrize("file", ["config.json", "tokenizer_config.json", "processor_config.json"])
def test_code_that_a_captioner_names_is_never_run_nor_asked_about(blip2, tmp_path, monkeypatch, file):
    folder = tmp_path / "captioner"
    shutil.copytree(blip2, folder)
    (folder / "custom.py").write_text("from pathlib import Path\nPath(__file__ + '.ran').touch()\n")
    names = ("AutoConfig", "AutoProcessor", "AutoTokenizer", "AutoModelForImageTextToText")
    values = json.loads((folder / file).read_text()) | {"auto_map": dict.fromkeys(names, "custom.Custom")}
    (folder / file).write_text(json.dumps(values))
    monkeypatch.setattr("builtins.input", lambda *_: pytest.fail("somebody was asked"))
    captioner = TransformersCaptioner(CaptionParams(backend="transformers", model=str(folder), device="cpu"))

    with suppress(ModelError):
        captioner.describe([Picture("a.png", Image.new("RGB", (8, 8)))])

    assert not list(folder.rglob("*.ran"))
