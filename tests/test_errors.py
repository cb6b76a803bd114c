import pytest

from keras_dhnn.errors import invalid


@pytest.mark.parametrize(
    ("received", "named", "shown"),
    [
        (("l3",), {}, "'l3'"),
        ((1, None), {}, "1, None"),
        ((), {"shape": (3, 4), "dtype": "uint8"}, "shape=(3, 4), dtype='uint8'"),
        ((), {}, "none"),
    ],
)
def test_invalid_says_what_was_expected_and_what_received(received, named, shown):
    message = invalid("argument `codes`", "packed codes", *received, **named)
    assert message == f"Invalid value received for argument `codes`. Expected packed codes. Received: {shown}"
