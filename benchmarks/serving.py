"""How many searches a second `keras-dhnn serve` answers, and how long they take: clients over loopback.

    python benchmarks/serving.py runs/ucmd-paper-64/export/ucmd [--clients 8] [--seconds 60] [--json]

Starts the server in a process of its own. Each client keeps one connection and sends one request after the other: an
image file of noise, `search_bytes`, k = 10. Prints p50 and p99 in milliseconds, requests a second and the errors,
which must be none; clients and server share the machine.
"""

import argparse
import base64
import http.client
import io
import json
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
from PIL import Image

STARTING_SECONDS = 120


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("export", type=Path)
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    port = free_port()
    command = [sys.executable, "-m", "keras_dhnn", "serve", str(options.export), "--port", str(port)]
    server = subprocess.Popen(command)
    try:
        wait_for(port, server)
        result = measure(port, options.export.resolve().name, options.clients, options.seconds)
    finally:
        server.terminate()
        server.wait()
    print(json.dumps(result) if options.json else "\n".join(f"{name}: {value}" for name, value in result.items()))
    sys.exit(bool(result["errors"]))


def measure(port, name, clients, seconds):
    """Dictionary of the results of so many clients in so many seconds."""
    body, times, errors = request_body(), [], []
    end = time.monotonic() + seconds

    def client():
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        while (started := time.monotonic()) < end:
            try:
                connection.request("POST", f"/v1/models/{name}:predict", body)
                answer = connection.getresponse()
                content = answer.read()
                if answer.status != 200 or len(json.loads(content)["predictions"][0]["ids"]) != 10:
                    errors.append(content[:200].decode())
            except (OSError, http.client.HTTPException, ValueError) as error:
                errors.append(repr(error))
                connection.close()
            times.append(time.monotonic() - started)

    threads = [threading.Thread(target=client) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    p50, p99 = (float(np.percentile(times, share)) * 1000 for share in (50, 99))
    return {
        "clients": clients,
        "seconds": seconds,
        "requests": len(times),
        "errors": len(errors),
        "first error": errors[0] if errors else None,
        "requests a second": round(len(times) / seconds, 1),
        "p50 ms": round(p50, 1),
        "p99 ms": round(p99, 1),
    }


def request_body():
    """A search for a JPEG file of 256 x 256 pixels, in row form."""
    blocks = np.random.default_rng(0).integers(0, 256, (16, 16, 3), np.uint8)
    file = io.BytesIO()
    Image.fromarray(blocks).resize((256, 256)).save(file, "JPEG")
    instance = {"image_bytes": {"b64": base64.b64encode(file.getvalue()).decode()}, "k": 10}
    return json.dumps({"signature_name": "search_bytes", "instances": [instance]}).encode()


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(port, server):
    for _ in range(10 * STARTING_SECONDS):
        if server.poll() is not None:
            sys.exit("The server did not start.")
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            return
        except OSError:
            time.sleep(0.1)
    sys.exit(f"The server did not start within {STARTING_SECONDS} s.")


if __name__ == "__main__":
    main()
