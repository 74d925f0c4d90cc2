"""Tiny encoders of several families, written to disk as a user would have them."""

from pathlib import Path

import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import (
    AlbertConfig,
    AutoConfig,
    AutoModel,
    BertConfig,
    DebertaConfig,
    DebertaV2Config,
    ModernBertConfig,
    MPNetConfig,
    PretrainedConfig,
    PreTrainedTokenizerFast,
    RobertaConfig,
    XLMRobertaConfig,
)

WORD_TEXT = (
    "ann bob lives works in at rome paris acme initech with and the a . # ##s picture of about is city firm"
)
WORDS = WORD_TEXT.split()
SIZES = {
    "hidden_size": 32,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 48,
    "max_position_embeddings": 96,
}


def save_encoder(folder: Path, config: PretrainedConfig, special: dict[str, str]) -> str:
    """Save an untrained encoder and a WordPiece tokenizer of WORDS; return the folder's name."""
    vocab = {word: index for index, word in enumerate([*special.values(), *WORDS])}
    inner = Tokenizer(models.WordPiece(vocab, unk_token=special["unk_token"]))
    inner.normalizer = normalizers.BertNormalizer(lowercase=True)
    inner.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    pair = [(special[f"{name}_token"], vocab[special[f"{name}_token"]]) for name in ("sep", "cls")]
    inner.post_processor = processors.BertProcessing(*pair)
    PreTrainedTokenizerFast(tokenizer_object=inner, **special).save_pretrained(folder)
    config.vocab_size = len(vocab)
    torch.manual_seed(0)
    AutoModel.from_config(config).save_pretrained(folder)
    assert AutoConfig.from_pretrained(folder).model_type == config.model_type
    return str(folder)


def _name_tokens(*names: str) -> dict[str, str]:
    return dict(zip(("pad_token", "unk_token", "cls_token", "sep_token", "mask_token"), names, strict=True))


BRACKETS = _name_tokens("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
ANGLES = {
    "cls_token": "<s>",
    "pad_token": "<pad>",
    "sep_token": "</s>",
    "unk_token": "<unk>",
    "mask_token": "<mask>",
}


# RoBERTa, XLM-R and MPNet count positions from the padding id, which is 1 in all of them; ALBERT's embeddings are narrow
FAMILIES = {
    "bert": (BertConfig, BRACKETS, {}),
    "roberta": (RobertaConfig, ANGLES, {"pad_token_id": 1, "bos_token_id": 0, "eos_token_id": 2}),
    "xlm-roberta": (XLMRobertaConfig, ANGLES, {"pad_token_id": 1, "bos_token_id": 0, "eos_token_id": 2}),
    "mpnet": (MPNetConfig, ANGLES, {"pad_token_id": 1, "bos_token_id": 0, "eos_token_id": 2}),
    "deberta-v1": (DebertaConfig, BRACKETS, {"relative_attention": True, "pos_att_type": ["c2p", "p2c"]}),
    "deberta": (DebertaV2Config, BRACKETS, {"relative_attention": True, "pos_att_type": ["c2p", "p2c"]}),
    "modernbert": (ModernBertConfig, BRACKETS, {"pad_token_id": 0, "cls_token_id": 2, "sep_token_id": 3}),
    "albert": (AlbertConfig, BRACKETS, {"embedding_size": 16}),
}
