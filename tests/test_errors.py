import pytest

from keras_dhnn.errors import SettingError, check_each_once, invalid


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


@pytest.mark.parametrize(
    "values", [["a", "b", "a"], [1, 2, 1.0], [{"pan": 1}, {"mul": 1}, {"pan": 1}], [[1], [2], [1]]]
)
def test_a_value_that_is_given_twice_is_refused(values):
    check_each_once("--over s", values[:2])
    with pytest.raises(SettingError, match="no value twice"):
        check_each_once("--over s", values)


def test_very_many_values_are_not_compared_with_each_other():
    compared = []

    class Name(str):
        __hash__ = str.__hash__

        def __eq__(self, other):
            compared.append(other)
            return str.__eq__(self, other)

    check_each_once("a name", [Name(number) for number in range(1000)])
    assert len(compared) < 1000
