import ast

import numpy as np
import pytest
import tensorflow as tf

from keras_dhnn.errors import SettingError
from keras_dhnn.pipelines.items import Items
from tests.test_imports import modules


def test_items_are_images_in_their_turns():
    """Images 0, 1 and 2 are items 0 to 3, 4 to 7 and 8 to 11."""
    items = Items(4)
    assert items.count(3) == 12
    np.testing.assert_array_equal(items.all(3), np.arange(12))
    np.testing.assert_array_equal(items.of_images(np.array([2, 0])), [8, 9, 10, 11, 0, 1, 2, 3])
    np.testing.assert_array_equal(items.upright(np.array([2, 0])), [8, 0])
    np.testing.assert_array_equal(items.image(np.array([0, 3, 4, 11])), [0, 0, 1, 2])
    np.testing.assert_array_equal(items.turn(np.array([0, 3, 4, 11])), [0, 3, 0, 3])
    np.testing.assert_array_equal(items.degrees(np.array([0, 3, 5])), [0, 270, 90])
    np.testing.assert_array_equal(items.spread(np.array([7, 9])), [7, 7, 7, 7, 9, 9, 9, 9])


def test_without_turns_items_are_images():
    items, numbers = Items(1), np.arange(5)
    for same in (items.all(5), items.image(numbers), items.of_images(numbers), items.spread(numbers)):
        np.testing.assert_array_equal(same, numbers)
    assert items.turn(3) == items.degrees(3) == 0


def test_integers_arrays_and_tensors_are_taken_alike():
    items = Items(4)
    assert (items.image(7), items.turn(7)) == (1, 3)
    np.testing.assert_array_equal(items.image(tf.constant([7, 8])), [1, 2])
    np.testing.assert_array_equal(items.turn(tf.constant([7, 8])), [3, 0])


def test_a_view_is_turned_counter_clockwise():
    image = np.array([[1, 2], [3, 4]])[..., None]
    np.testing.assert_array_equal(Items(4).view(image, 5)[..., 0], [[2, 4], [1, 3]])


@pytest.mark.parametrize("turns", [0, 2, 8, None])
def test_other_turns_are_refused(turns):
    with pytest.raises(SettingError, match="argument `turns`. Expected 1 or 4"):
        Items(turns)


def test_nobody_else_computes_with_turns():
    for module, path in modules():
        if module != "keras_dhnn.pipelines.items":
            for node in ast.walk(ast.parse(path.read_text())):
                operands = (node.left, node.right) if isinstance(node, ast.BinOp) else ()
                if isinstance(node, ast.Call) and getattr(node.func, "attr", None) == "repeat":
                    operands = node.args
                names = {getattr(operand, "attr", getattr(operand, "id", None)) for operand in operands}
                assert "turns" not in names, f"{path}:{node.lineno}"
