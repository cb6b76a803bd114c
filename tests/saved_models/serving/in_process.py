"""The development server in the test's own process."""

import contextlib
import threading
import time

from keras_dhnn.saved_models.serving.connections import listen
from keras_dhnn.saved_models.serving.served_model import ServedModel
from keras_dhnn.saved_models.serving.server import server

MAX_BODY = 1 << 20


@contextlib.contextmanager
def serving(base):
    """Gives the port at which an exported model is served."""
    model = ServedModel(base)
    model.follow(seconds=0.1)
    listening = listen("127.0.0.1", 0)
    port = listening.getsockname()[1]
    running = server(model, max_body=MAX_BODY, max_batch=8)
    thread = threading.Thread(target=running.run, kwargs={"sockets": [listening]})
    thread.start()
    while not running.started:
        time.sleep(0.01)
    try:
        yield port
    finally:
        running.should_exit = True
        thread.join()
        model.close()
