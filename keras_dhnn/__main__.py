"""`python -m keras_dhnn` is `keras-dhnn`."""

from keras_dhnn.cli import main

main()
