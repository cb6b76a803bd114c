"""The functions that an export offers to TensorFlow Serving, by their names."""

import tensorflow as tf

from keras_dhnn.saved_models.signature_names import images_signature, join, search_stem

# What a gRPC client gets that sends no k; REST clients must send every input.
DEFAULT_K = 10
_KINDS = ("", "uint8", "bytes")


def make_signatures(encoders, searchers):
    """All signatures of an export.

    With one source: `serving_default` (float32 images), `search_uint8`, `search_bytes` (PNG or JPEG files),
    `search_codes`, `encode`, `encode_uint8` and `encode_bytes`. With several: `FROM_to_TO`, `FROM_to_TO_uint8`,
    `FROM_to_TO_bytes` for each pair, `search_TO_codes`, `encode_FROM`, ...; `serving_default` is the first pair.

    Args:
        encoders: `{source: ImageEncoder}`, or what loading one gives.
        searchers: `{source: Searcher}`.

    Returns:
        `{name: tf.function}`. Searching ones take `k` beside their input, see `Searcher.search`, and return also the
        queries' `codes`; encoding ones return `codes` alone.
    """
    made = {}
    alone = len(encoders) == len(searchers) == 1
    for source, encoder in encoders.items():
        for kind in _KINDS:
            encode = getattr(encoder, join("encode", kind), None)
            if encode is None:
                continue
            made[join("encode", "" if alone else source, kind)] = _encoding(encode)
            for target, searcher in searchers.items():
                stem = search_stem(source, target, alone)
                made[join(stem, kind) if kind else images_signature(stem)] = _searching(encode, searcher)
    for target, searcher in searchers.items():
        made[join("search", "" if alone else target, "codes")] = _searching_codes(searcher)
    if not alone:
        made["serving_default"] = _searching(next(iter(encoders.values())).encode, next(iter(searchers.values())))
    return made


def _spec(encode):
    """The one input of an encoding function, made here or loaded."""
    loaded = getattr(encode, "concrete_functions", None)
    concrete = loaded[0] if loaded else encode.get_concrete_function()
    return concrete.structured_input_signature[0][0]


def _encoding(encode):
    spec = _spec(encode)

    @tf.function(input_signature=[spec])
    def function(x):
        return {"codes": encode(x)}

    return function


def _searching(encode, searcher):
    default = tf.constant(DEFAULT_K)

    # Any rank: REST's row form makes one k an instance, the columnar form what the client writes.
    @tf.function(input_signature=[_spec(encode), tf.TensorSpec(None, tf.int32, "k")])
    def function(x, k=default):
        codes = encode(x)
        return {"codes": codes, **searcher.search(codes, k)}

    return function


def _searching_codes(searcher):
    shape, default = (None, searcher.retrieval.bits // 8), tf.constant(DEFAULT_K)

    @tf.function(input_signature=[tf.TensorSpec(shape, tf.uint8, "codes"), tf.TensorSpec(None, tf.int32, "k")])
    def function(x, k=default):
        return {"codes": tf.identity(x), **searcher.search(x, k)}

    return function
