"""Run `python -m keras_dhnn` as `keras-dhnn`."""

from keras_dhnn.cli import main

main()
