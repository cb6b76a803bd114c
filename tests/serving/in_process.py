"""The development server in the test's own process."""

import contextlib
import threading
import time

from keras_dhnn.saved_models.served_model import ServedModel
from keras_dhnn.saved_models.server import server

MAX_BODY = 1 << 20


@contextlib.contextmanager
def serving(base):
    """Gives the port at which an exported model is served."""
    model = ServedModel(base)
    model.follow(seconds=0.1)
    running = server(model, "127.0.0.1", 0, max_body=MAX_BODY, max_batch=8)
    thread = threading.Thread(target=running.run)
    thread.start()
    while not running.started:
        time.sleep(0.01)
    try:
        yield running.servers[0].sockets[0].getsockname()[1]
    finally:
        running.should_exit = True
        thread.join()
        model.close()
