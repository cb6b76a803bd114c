"""A worker's request to a chief that is killed before it answers, over real connections on loopback."""

import subprocess
import sys
import threading
from concurrent import futures

import grpc
import pytest
from keras_tuner.engine.hyperparameters import HyperParameters
from keras_tuner.engine.trial import Trial
from keras_tuner.src import protos

from keras_dhnn.tuning.chief import patient_stub

# A server that says its port, then that it was asked, and never answers.
SILENT = """
import time, grpc
from concurrent import futures

class Handler(grpc.GenericRpcHandler):
    def service(self, call):
        def answer(request, context):
            print("asked", flush=True)
            time.sleep(60)
        return grpc.unary_unary_rpc_method_handler(answer)

server = grpc.server(futures.ThreadPoolExecutor(1), handlers=[Handler()])
port = server.add_insecure_port("127.0.0.1:0")
server.start()
print(port, flush=True)
time.sleep(60)
"""


class Chief(protos.get_service_grpc().OracleServicer):
    def CreateTrial(self, request, context):
        trial = Trial(HyperParameters(), trial_id=f"7 of {request.tuner_id}")
        return protos.get_service().CreateTrialResponse(trial=trial.to_proto())


def ask(stub, answers):
    request = protos.get_service().CreateTrialRequest(tuner_id="worker0")
    try:
        answers.append(Trial.from_proto(stub.CreateTrial(request, wait_for_ready=True, timeout=30).trial).trial_id)
    except grpc.RpcError as error:
        answers.append(error.code())


def theirs(address):
    return protos.get_service_grpc().OracleStub(grpc.insecure_channel(address))


# What KerasTuner alone makes of it is why there is a stub of ours.
@pytest.mark.parametrize(("stub", "expected"), [(patient_stub, "7 of worker0"), (theirs, grpc.StatusCode.UNAVAILABLE)])
def test_a_chief_killed_within_a_request_is_asked_again(stub, expected):
    answers = []
    with subprocess.Popen([sys.executable, "-c", SILENT], stdout=subprocess.PIPE, text=True) as silent:
        address = f"127.0.0.1:{int(silent.stdout.readline())}"
        asking = threading.Thread(target=ask, args=(stub(address), answers))
        asking.start()
        assert silent.stdout.readline() == "asked\n"
        silent.kill()
    server = grpc.server(futures.ThreadPoolExecutor(1))
    protos.get_service_grpc().add_OracleServicer_to_server(Chief(), server)
    server.add_insecure_port(address)
    server.start()
    asking.join(30)
    server.stop(0)
    assert answers == [expected]
