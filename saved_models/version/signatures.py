"""Make the functions that an export offers to TensorFlow Serving, by their names."""

import itertools
from collections.abc import Callable, Mapping

import tensorflow as tf

from keras_dhnn.saved_models.graph.image_encoder import ImageEncoder, pack_bits
from keras_dhnn.saved_models.graph.searcher import Searcher
from keras_dhnn.saved_models.version.signature_names import IN_CLASS, images_signature, join, search_stem

# What a gRPC client gets that sends no k; REST clients must send every input.
DEFAULT_K = 10
OUTPUTS = "outputs"
_KINDS = ("", "uint8", "bytes")


def make_signatures(encoders: Mapping[str, ImageEncoder], searchers: Mapping[str, Searcher]) -> dict[str, Callable]:
    """Return all signatures of an export.

    With one source: `serving_default` (float32 images), `search_uint8`, `search_bytes` (PNG or JPEG files),
    `search_codes`, `encode`, `encode_uint8` and `encode_bytes`. With several: `FROM_to_TO`, `FROM_to_TO_uint8`,
    `FROM_to_TO_bytes` for each pair, `search_TO_codes`, `encode_FROM`, ...; `serving_default` is the first pair. For
    items of one class: `search_in_class`, `search_in_class_uint8`, ..., `FROM_to_TO_in_class`, ... By real outputs,
    which put equal distances in order: `encode_outputs`, `search_outputs`, `search_in_class_outputs`, ...

    Args:
        encoders: `{source: ImageEncoder}`, or what loading one gives.
        searchers: `{source: Searcher}`.

    Returns:
        `{name: tf.function}`. Searching ones take `k` beside their input, those for one class also `class_name`, see
        `Searcher.search`, and return also the queries' `codes`; encoding ones return `codes` alone.
    """
    made = {}
    alone = len(encoders) == len(searchers) == 1
    for source, encoder in encoders.items():
        for kind in _KINDS:
            encode = getattr(encoder, join("encode", kind), None)
            if encode is None:
                continue
            made[join("encode", "" if alone else source, kind)] = _encoding(encode)
            searching = getattr(_of_queries(encoder), join("encode", kind))
            for (target, searcher), in_class in itertools.product(searchers.items(), (False, True)):
                stem = search_stem(source, target, alone, in_class)
                name = join(stem, kind) if kind else images_signature(stem)
                made[name] = _searching(_spec(searching), searching, searcher, in_class)
        if hasattr(encoder, OUTPUTS):  # not in exports of earlier days; of images that search, like `search_outputs`
            made[join("encode", "" if alone else source, OUTPUTS)] = _encoding(_of_queries(encoder).outputs, OUTPUTS)
    for (target, searcher), in_class in itertools.product(searchers.items(), (False, True)):
        stem, bits = join("search", "" if alone else target, IN_CLASS if in_class else ""), searcher.retrieval.bits
        spec = tf.TensorSpec((None, bits // 8), tf.uint8, "codes")
        made[join(stem, "codes")] = _searching(spec, _of_width("codes", bits // 8), searcher, in_class)
        spec = tf.TensorSpec((None, bits), tf.float32, OUTPUTS)
        made[join(stem, OUTPUTS)] = _searching(spec, _codes_of_outputs(bits), searcher, in_class, ordered=True)
    if not alone:
        encode, searcher = _of_queries(next(iter(encoders.values()))).encode, next(iter(searchers.values()))
        made["serving_default"] = _searching(_spec(encode), encode, searcher, False)
    return made


def _of_queries(encoder):
    """Return what encodes images that search: an encoder itself, where it has no other for them."""
    return getattr(encoder, "searching", encoder)


def _spec(encode):
    """Return the one input of an encoding function, made here or loaded."""
    loaded = getattr(encode, "concrete_functions", None)
    concrete = loaded[0] if loaded else encode.get_concrete_function()
    return concrete.structured_input_signature[0][0]


def _of_width(name, width):
    """Return a function that gives its argument back, `(B, width)`, and refuses one of another width."""

    def checked(x: tf.Tensor) -> tf.Tensor:
        shape = tf.shape(x)
        fits = tf.reduce_all(shape[1:] == [width]) & (tf.size(shape) == 2)
        check = tf.debugging.Assert(fits, [f"Expected {name} of shape (B, {width}). Received the shape", shape])
        with tf.control_dependencies([check]):
            return tf.ensure_shape(tf.identity(x), (None, width))

    return checked


def _codes_of_outputs(bits):
    """Return a function from real outputs `(B, bits)` to their codes, which refuses others and what is not finite."""
    checked = _of_width(OUTPUTS, bits)

    def codes(outputs: tf.Tensor) -> tf.Tensor:
        return pack_bits(tf.debugging.check_numerics(checked(outputs), "Expected outputs that are finite"))

    return codes


def _encoding(encode, name="codes"):
    spec = _spec(encode)

    @tf.function(input_signature=[spec])
    def function(x: tf.Tensor) -> dict[str, tf.Tensor]:
        return {name: encode(x)}

    return function


def _searching(spec, encode, searcher, in_class, ordered=False):
    default, any_class = tf.constant(DEFAULT_K), tf.constant("")
    # Any rank: REST's row form makes one k an instance, the columnar form what the client writes.
    k_spec, class_spec = tf.TensorSpec(None, tf.int32, "k"), tf.TensorSpec(None, tf.string, "class_name")

    def search(x: tf.Tensor, k: tf.Tensor, class_name: tf.Tensor | None = None) -> dict[str, tf.Tensor]:
        codes = encode(x)
        return {"codes": codes, **searcher.search(codes, k, class_name, x if ordered else None)}

    @tf.function(input_signature=[spec, k_spec])
    def function(x: tf.Tensor, k: tf.Tensor = default) -> dict[str, tf.Tensor]:
        return search(x, k)

    @tf.function(input_signature=[spec, k_spec, class_spec])
    def function_in_class(
        x: tf.Tensor, k: tf.Tensor = default, class_name: tf.Tensor = any_class
    ) -> dict[str, tf.Tensor]:
        return search(x, k, class_name)

    return function_in_class if in_class else function
