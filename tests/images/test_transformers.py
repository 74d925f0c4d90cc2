"""BLIP-2 from end to end, on a checkpoint of a few thousand weights that is made and saved here."""

from pathlib import Path

import pytest
from PIL import Image

from cotpd.config import CaptionParams
from cotpd.errors import ConfigError, ModelError
from cotpd.images.pictures import Picture
from cotpd.images.transformers import TransformersCaptioner

WORDS = ["<pad>", "<s>", "</s>", "<image>", "a", "picture", "of", "red", "green", "cat", "dog", "on"]


@pytest.fixture(scope="session")
def blip2(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random BLIP-2 with an OPT of two layers, saved as a user's folder would be."""
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import (
        Blip2Config,
        Blip2ForConditionalGeneration,
        Blip2Processor,
        Blip2QFormerConfig,
        Blip2VisionConfig,
        OPTConfig,
        PreTrainedTokenizerFast,
    )
    from transformers.models.blip.image_processing_pil_blip import BlipImageProcessorPil

    torch.manual_seed(1)
    size = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    ids = {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}
    config = Blip2Config(
        vision_config=Blip2VisionConfig(**size, image_size=28, patch_size=14).to_dict(),
        qformer_config=Blip2QFormerConfig(**size, encoder_hidden_size=16, vocab_size=len(WORDS)).to_dict(),
        text_config=OPTConfig(
            vocab_size=len(WORDS),
            hidden_size=16,
            word_embed_proj_dim=16,
            num_hidden_layers=2,
            num_attention_heads=2,
            ffn_dim=16,
            max_position_embeddings=64,
            **ids,
        ).to_dict(),
        num_query_tokens=4,
        image_token_index=WORDS.index("<image>"),
    )
    backend = Tokenizer(models.WordLevel({word: number for number, word in enumerate(WORDS)}, unk_token="<pad>"))
    backend.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=backend,
        pad_token="<pad>",
        bos_token="<s>",
        eos_token="</s>",
        additional_special_tokens=["<image>"],
    )
    folder = tmp_path_factory.mktemp("blip2")
    model = Blip2ForConditionalGeneration(config)
    with torch.no_grad():
        for parameter in model.parameters():  # far from the tie that small random weights are
            parameter.normal_()
        model.get_input_embeddings().weight[:4] = 0  # tied to the output: words are likelier than special tokens
    model.save_pretrained(folder)
    images = BlipImageProcessorPil(size={"height": 28, "width": 28})
    Blip2Processor(images, tokenizer, num_query_tokens=4).save_pretrained(folder)
    return folder


@pytest.fixture
def pictures() -> list[Picture]:
    return [Picture(name, Image.new("RGB", (40, 20), name)) for name in ("red", "green", "blue")]


def params(folder: Path | str, **more: object) -> CaptionParams:
    return CaptionParams(backend="transformers", model=str(folder), device="cpu", max_tokens=6, **more)


def test_a_blip2_checkpoint_describes_a_batch_as_it_describes_each_picture(
    blip2: Path, pictures: list[Picture]
) -> None:
    captioner = TransformersCaptioner(params(blip2, batch_size=3))
    together = captioner.describe(pictures)
    assert together == [captioner.describe([picture])[0] for picture in pictures]
    for said in together:
        assert said.caption, said.problem
        assert set(said.caption.split()) <= set(WORDS[4:]), "special tokens do not belong into a caption"
        assert len(said.caption.split()) <= 6


def test_a_folder_without_a_model_is_an_error_with_a_remedy(tmp_path: Path, pictures: list[Picture]) -> None:
    with pytest.raises(ModelError, match=str(tmp_path)) as caught:
        TransformersCaptioner(params(tmp_path)).describe(pictures)
    assert caught.value.remedy


def test_a_checkpoint_without_a_processor_is_an_error_with_a_remedy(
    blip2: Path, tmp_path: Path, pictures: list[Picture]
) -> None:
    for name in ("config.json", "model.safetensors"):
        (tmp_path / name).symlink_to(blip2 / name)
    with pytest.raises(ModelError) as caught:
        TransformersCaptioner(params(tmp_path)).describe(pictures)
    assert caught.value.remedy


def test_damaged_weights_are_an_error_with_a_remedy(blip2: Path, tmp_path: Path, pictures: list[Picture]) -> None:
    for file in blip2.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes()[: 500 if file.suffix == ".safetensors" else None])
    with pytest.raises(ModelError) as caught:
        TransformersCaptioner(params(tmp_path)).describe(pictures)
    assert caught.value.remedy


def test_a_device_that_is_not_there_is_refused_at_once(blip2: Path) -> None:
    with pytest.raises(ConfigError, match="cuda:77"):
        TransformersCaptioner(params(blip2).model_copy(update={"device": "cuda:77"}))
