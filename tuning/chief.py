"""Reach the chief of a parallel search, also where it is killed and started again in the middle of a request."""

import json
from typing import Any

import grpc
from keras_tuner.src import protos

# Each attempt waits until the chief listens; five are what gRPC makes at most.
_AGAIN = {
    "name": [{}],
    "waitForReady": True,
    "retryPolicy": {
        "maxAttempts": 5,
        "initialBackoff": "0.5s",
        "maxBackoff": "10s",
        "backoffMultiplier": 2,
        "retryableStatusCodes": ["UNAVAILABLE"],
    },
}


def patient_stub(address: str) -> Any:
    """Return the client of a chief that asks again where a request has got no answer because the chief was killed.

    KerasTuner's own waits for a chief that is not there yet, but fails where one goes away between a request and its
    answer. Oracles that can be resumed answer a request that comes twice as they did the first time.

    Args:
        address: of the chief, "host:port".

    Returns:
        KerasTuner's gRPC stub for its `Oracle` service.
    """
    options = [("grpc.enable_retries", 1), ("grpc.service_config", json.dumps({"methodConfig": [_AGAIN]}))]
    return protos.get_service_grpc().OracleStub(grpc.insecure_channel(address, options=options))
