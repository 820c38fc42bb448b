"""Architectures with random weights, and small inputs for them; nothing is downloaded.

`CASES` maps a name to a function that returns a model in inference mode, and a function that makes
inputs of n samples.
"""

import inspect

import numpy as np

VOCABULARY = 100
LENGTH = 12
CASES = {}


def case(name):
    """Register a function under a name."""

    def register(build):
        CASES[name] = build
        return build

    return register


def images(size, channels=3, *more):
    """Return a function that makes n images."""

    def make(n):
        return np.random.default_rng(0).normal(size=(n, channels, *more, size, size)).astype("f4")

    return make


def tokens(*, padding="right", length=LENGTH, mask=True, **more):
    """Return a function that makes n texts of different lengths; at least one has all tokens."""

    def make(n):
        rng = np.random.default_rng(0)
        ids = rng.integers(5, VOCABULARY, (n, length))
        kept = np.ones((n, length), np.int64)
        for row in range(1, n):
            n_padded = 1 + row % (length - 3)
            place = slice(length - n_padded, None) if padding == "right" else slice(0, n_padded)
            kept[row, place] = 0
        ids[kept == 0] = 1
        batch = {"input_ids": ids}
        if mask:
            batch["attention_mask"] = kept
        return batch | {key: value(n) for key, value in more.items()}

    return make


# Torchvision and timm.

VISION = {
    "resnet18": 64, "resnet50": 64, "vgg16": 64, "alexnet": 96, "densenet121": 64,
    "mobilenet_v3_small": 64, "efficientnet_b0": 64, "convnext_tiny": 64, "swin_t": 64,
    "squeezenet1_1": 64, "regnet_y_400mf": 64, "shufflenet_v2_x0_5": 64, "vit_b_16": 64,
    "inception_v3": 96, "googlenet": 64,
}  # fmt: skip
TIMM = (
    "vit_tiny_patch16_224", "deit_tiny_distilled_patch16_224", "mixer_s32_224",
    "eva02_tiny_patch14_224", "hiera_tiny_224", "xcit_nano_12_p16_224", "convnextv2_atto",
    "resnet26d", "swin_tiny_patch4_window7_224", "vit_small_patch14_reg4_dinov2",
    "efficientnet_lite0", "coatnet_0_rw_224", "poolformer_s12", "levit_128s",
)  # fmt: skip


def _vision(name, size):
    def build():
        import torchvision

        more = {"image_size": size} if name.startswith("vit") else {}
        if name in ("inception_v3", "googlenet"):
            more["init_weights"] = False
        return getattr(torchvision.models, name)(weights=None, **more).eval(), images(size)

    return build


def _timm(name):
    def build():
        import timm

        for size in (64, 96, 224):
            try:
                model = timm.create_model(name, pretrained=False, img_size=size)
                break
            except TypeError:
                model, size = timm.create_model(name, pretrained=False), 64
                break
            except (AssertionError, ValueError):
                continue
        if name.endswith(("14_224", "dinov2")):
            size = 56
            model = timm.create_model(name, pretrained=False, img_size=size)
        if name.startswith(("hiera", "levit", "mixer", "coatnet")):
            size = 224
            model = timm.create_model(name, pretrained=False)
        return model.eval(), images(size)

    return build


for _name, _size in VISION.items():
    CASES[f"tv.{_name}"] = _vision(_name, _size)
for _name in TIMM:
    CASES[f"timm.{_name}"] = _timm(_name)


# Transformers, from small configurations.


def _configured(model, config, make, **given):
    """Return a function that builds a transformers model from a small configuration."""

    def build():
        import transformers

        kind = getattr(transformers, config)
        known = inspect.signature(kind.__init__).parameters
        usual = {
            "vocab_size": VOCABULARY, "hidden_size": 32, "num_hidden_layers": 6,
            "num_attention_heads": 4, "intermediate_size": 48, "num_key_value_heads": 2,
            "max_position_embeddings": 64, "pad_token_id": 1, "bos_token_id": 2, "eos_token_id": 3,
        }  # fmt: skip
        usual = {key: value for key, value in usual.items() if key in known}
        return getattr(transformers, model)(kind(**{**usual, **given})).eval(), make

    return build


def _decoder(n):
    return np.random.default_rng(1).integers(5, VOCABULARY, (n, 7))


def _speech(n):
    return {"input_values": np.random.default_rng(0).normal(size=(n, 4000)).astype("f4")}


def _spectra(n):
    spectra = np.random.default_rng(0).normal(size=(n, 16, 60)).astype("f4")
    return {"input_features": spectra, "decoder_input_ids": _decoder(n)}


def _pixels(size):
    return lambda n: {"pixel_values": images(size)(n)}


_SMALL = {"hidden_size": 32, "num_hidden_layers": 5, "num_attention_heads": 4}
_SIZES = {"embedding_size": 16, "hidden_sizes": [16, 32, 48], "depths": [2, 2, 2]}
_SPEECH = {"conv_dim": [16] * 7, "num_conv_pos_embeddings": 16, "num_conv_pos_embedding_groups": 4}
_SEQ2SEQ = {
    "d_model": 32, "encoder_layers": 3, "decoder_layers": 3, "encoder_attention_heads": 4,
    "decoder_attention_heads": 4, "encoder_ffn_dim": 48, "decoder_ffn_dim": 48,
}  # fmt: skip
_TEXT = tokens()
_LEFT = tokens(padding="left")
TRANSFORMERS = {
    "bert": ("BertModel", "BertConfig", _TEXT),
    "bert_cls": ("BertForSequenceClassification", "BertConfig", _TEXT, {"num_labels": 3}),
    "roberta_cls": ("RobertaForSequenceClassification", "RobertaConfig", _TEXT, {"num_labels": 3}),
    "distilbert": (
        "DistilBertModel",
        "DistilBertConfig",
        _TEXT,
        {"dim": 32, "hidden_dim": 48, "n_heads": 4},
    ),
    "albert": ("AlbertModel", "AlbertConfig", _TEXT, {"embedding_size": 16}),
    "deberta2": (
        "DebertaV2Model",
        "DebertaV2Config",
        _TEXT,
        {"relative_attention": True, "pos_att_type": ["p2c", "c2p"]},
    ),
    "electra": ("ElectraModel", "ElectraConfig", _TEXT, {"embedding_size": 32}),
    "gpt2lm": (
        "GPT2LMHeadModel",
        "GPT2Config",
        _LEFT,
        {"n_embd": 32, "n_layer": 6, "n_head": 4, "n_positions": 64},
    ),
    "gpt2_cls": (
        "GPT2ForSequenceClassification",
        "GPT2Config",
        _TEXT,
        {"n_embd": 32, "n_layer": 6, "n_head": 4, "n_positions": 64, "num_labels": 3},
    ),
    "llama": ("LlamaForCausalLM", "LlamaConfig", _LEFT),
    "llama_cls": ("LlamaForSequenceClassification", "LlamaConfig", _LEFT, {"num_labels": 3}),
    "llama40": ("LlamaForCausalLM", "LlamaConfig", _LEFT, {"num_hidden_layers": 40}),
    "mistral": ("MistralModel", "MistralConfig", _TEXT),
    "mixtral": ("MixtralModel", "MixtralConfig", _TEXT, {"num_local_experts": 3}),
    "qwen2": ("Qwen2ForCausalLM", "Qwen2Config", _LEFT),
    "neox": ("GPTNeoXModel", "GPTNeoXConfig", _TEXT),
    "mamba": ("MambaModel", "MambaConfig", _TEXT, {"num_hidden_layers": 5, "state_size": 4}),
    "t5": (
        "T5ForConditionalGeneration",
        "T5Config",
        tokens(decoder_input_ids=_decoder),
        {
            "d_model": 32,
            "d_kv": 8,
            "d_ff": 48,
            "num_layers": 4,
            "num_heads": 4,
            "decoder_start_token_id": 0,
        },
    ),
    "bart": ("BartModel", "BartConfig", _TEXT, _SEQ2SEQ),
    "xlnet": (
        "XLNetModel",
        "XLNetConfig",
        _TEXT,
        {"d_model": 32, "n_layer": 5, "n_head": 4, "d_inner": 48},
    ),
    "funnel": (
        "FunnelModel",
        "FunnelConfig",
        _TEXT,
        {"block_sizes": [2, 2, 2], "d_model": 32, "n_head": 4, "d_head": 8, "d_inner": 48},
    ),
    "whisper": (
        "WhisperModel",
        "WhisperConfig",
        _spectra,
        {**_SEQ2SEQ, "num_mel_bins": 16, "max_source_positions": 30, "max_target_positions": 20},
    ),
    "wav2vec2": ("Wav2Vec2Model", "Wav2Vec2Config", _speech, _SPEECH),
    "hubert": ("HubertModel", "HubertConfig", _speech, _SPEECH),
    "clip": (
        "CLIPModel",
        "CLIPConfig",
        tokens(pixel_values=images(32)),
        {
            "text_config": {
                **_SMALL,
                "num_hidden_layers": 4,
                "intermediate_size": 48,
                "vocab_size": VOCABULARY,
                "max_position_embeddings": 16,
                "eos_token_id": 3,
            },
            "vision_config": {
                **_SMALL,
                "num_hidden_layers": 4,
                "intermediate_size": 48,
                "image_size": 32,
                "patch_size": 16,
            },
            "projection_dim": 16,
        },
    ),
    "vit": (
        "ViTForImageClassification",
        "ViTConfig",
        _pixels(32),
        {"image_size": 32, "patch_size": 16, "num_labels": 3},
    ),
    "dinov2reg": (
        "Dinov2WithRegistersModel",
        "Dinov2WithRegistersConfig",
        _pixels(28),
        {**_SMALL, "image_size": 28, "patch_size": 14, "num_register_tokens": 4},
    ),
    "swin": (
        "SwinForImageClassification",
        "SwinConfig",
        _pixels(64),
        {
            "image_size": 64,
            "embed_dim": 16,
            "depths": [2, 2, 3],
            "num_heads": [2, 2, 4],
            "window_size": 4,
            "num_labels": 3,
        },
    ),
    "resnet": (
        "ResNetForImageClassification",
        "ResNetConfig",
        _pixels(64),
        {**_SIZES, "num_labels": 3},
    ),
    "convnext": (
        "ConvNextForImageClassification",
        "ConvNextConfig",
        _pixels(64),
        {"hidden_sizes": [16, 24, 32, 48], "depths": [2, 2, 4, 2], "num_labels": 3},
    ),
    "segformer": (
        "SegformerForSemanticSegmentation",
        "SegformerConfig",
        _pixels(64),
        {
            "hidden_sizes": [16, 24, 32, 48],
            "num_attention_heads": [1, 2, 2, 4],
            "decoder_hidden_size": 32,
            "num_labels": 3,
        },
    ),
}
for _name, _given in TRANSFORMERS.items():
    CASES[f"hf.{_name}"] = _configured(*_given[:3], **(_given[3] if len(_given) > 3 else {}))


@case("hf.detr")
def detr():
    """Return DETR on a small ResNet."""
    import transformers

    backbone = transformers.ResNetConfig(
        embedding_size=16, hidden_sizes=[16, 24, 32, 48], depths=[1, 1, 2, 1], layer_type="basic",
        out_features=["stage4"],
    )  # fmt: skip
    config = transformers.DetrConfig(
        use_timm_backbone=False, use_pretrained_backbone=False, backbone=None,
        backbone_config=backbone, num_queries=5, num_labels=3,
        **{**_SEQ2SEQ, "encoder_layers": 4, "decoder_layers": 4},
    )  # fmt: skip
    return transformers.DetrForObjectDetection(config).eval(), _pixels(64)
