import numpy as np
import pytest

from keras_dhnn.directions import unit_rows


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_rows_have_length_1_and_their_direction(dtype):
    found = unit_rows(np.array([[3, 4], [0, 0], [-5, 0], [1e-20, 0]], dtype))
    np.testing.assert_allclose(found, [[0.6, 0.8], [0, 0], [-1, 0], [1, 0]], rtol=1e-3)
    assert found.dtype == dtype
