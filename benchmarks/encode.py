"""How fast images on disk become codes, against what was done before and against the network alone.

    python benchmarks/encode.py [--data data/ucmd] [--images 1024] [--repeats 3] [--json]

Three ways, measured in turn; the ratios printed are medians. Each has a process of its own, since allocators differ:

- *before*: TensorFlow with batches of 64 images and the system's allocator, as versions up to 0.1 did it;
- *encoder*: `runtimes.Encoder` fed by `pipelines.batches`, as `fit` does it now;
- *bare*: the interpreters of the same runtime, and of the others that are installed, on pixels that are in memory; the
  fastest counts.

Images a second are counted by the clock and by processor time. The network is EfficientNet-Lite0 at the size that
images are stored in, with a hash head of random weights. Without `--data` the images are a synthetic twin's. Where
TensorFlow does not use oneDNN by itself (processors without VNNI) its kernels are others: TF_ENABLE_ONEDNN_OPTS=0.
"""

import argparse
import json
import multiprocessing
import os
import resource
import statistics
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

TO_BEFORE, TO_BARE = 3.0, 0.85


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="a prepared data set's folder (default: a synthetic twin)")
    parser.add_argument("--images", type=int, default=1024, help="of each measurement")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    if arguments.data:
        rates = measure(arguments.data, arguments.images, arguments.repeats)
    else:
        with tempfile.TemporaryDirectory() as folder:
            rates = measure(_twin(Path(folder)), arguments.images, arguments.repeats)
    ratios = _ratios(rates)
    if arguments.json:
        print(json.dumps(ratios))
        return
    for way, rounds in rates.items():
        wall, processor = (statistics.median(one[k] for one in rounds) for k in ("wall", "processor"))
        kernel, peak = statistics.median(one["kernel"] for one in rounds), rounds[-1]["peak"]
        print(f"{way:22} {wall:7.1f} images/s  {processor:7.1f} by processor time  kernel {kernel:.1%}  {peak:.0f} MiB")
    for name, ratio in ratios.items():
        print(f"{name:44} {ratio:.2f}")
    print(f"(must be at least {TO_BARE} of the fastest bare way, and {TO_BEFORE} times what was before)")
    sys.exit(int(ratios["encoder to bare, by processor time"] < TO_BARE))


def measure(data, images, repeats):
    """`{way: [figures of each repeat]}`, see `_figures`."""
    context = multiprocessing.get_context("spawn")
    ways = {"before": _before, "encoder": _encoder, "bare openvino": _bare, "bare litert": _bare}
    processes, found = {}, {}
    for way, work in ways.items():
        own, theirs = context.Pipe()
        process = context.Process(target=_serve, args=(theirs, work, way.split()[-1], data, images), daemon=True)
        process.start()
        if own.recv():  # the first round builds graphs and fills pools
            processes[way], found[way] = own, []
    for _ in range(repeats):
        for way, connection in processes.items():
            connection.send(True)
            found[way].append(connection.recv())
    for connection in processes.values():
        connection.send(False)
    return found


def _serve(connection, work, name, data, images):
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    if name == "before":
        os.environ["TF_CPU_ALLOCATOR_USE_BFC"] = "false"
    from keras_dhnn.runtimes import installed_runtimes

    if work is _bare and name not in installed_runtimes():
        connection.send(False)
        return
    run = work(name, data, images)
    run()
    connection.send(True)
    while connection.recv():
        connection.send(_figures(run, images))


def _figures(run, images):
    """Images a second by the clock and by processor time, the kernel's share of it, and the peak of memory in MiB."""
    before, started = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
    run()
    seconds, after = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_SELF)
    kernel = after.ru_stime - before.ru_stime
    processor = kernel + after.ru_utime - before.ru_utime
    peak = after.ru_maxrss / 1024
    return {"wall": images / seconds, "processor": images / processor, "kernel": kernel / processor, "peak": peak}


def _ratios(rates):
    bare = [way for way in rates if way.startswith("bare")]
    ratios = {}
    for unit, words in (("wall", "by the clock"), ("processor", "by processor time")):
        median = {way: statistics.median(one[unit] for one in rounds) for way, rounds in rates.items()}
        ratios[f"encoder to before, {words}"] = median["encoder"] / median["before"]
        ratios[f"encoder to bare, {words}"] = median["encoder"] / max((median[way] for way in bare), default=np.nan)
    return ratios


def _network(info):
    import tensorflow as tf

    from keras_dhnn.models.backbones.build import build_backbone
    from keras_dhnn.models.hash_head import hash_head

    tf.keras.utils.set_random_seed(0)
    backbone = build_backbone("efficientnet_lite0", info.images["image"].shape)
    return tf.keras.Model(backbone.input, hash_head(backbone.output.shape[-1], 64, 512, 0.0, 0.0)(backbone.output))


def _opened(data):
    from keras_dhnn.pipelines.store.dataset_info import DatasetInfo

    info = DatasetInfo.load(data)
    return info, _network(info)


def _batches(info, images, size):
    from keras_dhnn.pipelines.batches import batches

    return (inputs["image"] for inputs, _ in batches(info, np.arange(images), batch_size=size))


def _before(name, data, images):
    import tensorflow as tf

    from keras_dhnn.codes import pack

    info, network = _opened(data)
    step = tf.function(lambda inputs: network(inputs, training=False), reduce_retracing=True, autograph=False)
    return lambda: [pack(step(inputs).numpy()) for inputs in _batches(info, images, 64)]


def _encoder(name, data, images):
    from keras_dhnn.codes import pack
    from keras_dhnn.runtimes import Encoder

    info, network = _opened(data)
    encoder = Encoder(network, 10**6)
    return lambda: [pack(outputs) for (outputs,) in encoder.outputs(_batches(info, images, encoder.batch))]


def _bare(name, data, images):
    from keras_dhnn.runtimes.flatbuffer import flatbuffers
    from keras_dhnn.runtimes.interpreters import make_interpreters

    info, network = _opened(data)
    threads = len(os.sched_getaffinity(0))
    pixels = [inputs.numpy() for inputs in _batches(info, images, 1)]
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        interpreters = make_interpreters(name, flatbuffers([network], pixels[0].shape, Path(folder)), threads)

    def part(number):
        return [interpreters[number](image) for image in pixels[number::threads]]

    def run():
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(part, range(threads)))

    return run


def _twin(folder):
    from keras_dhnn.pipelines.datasets import ucmd
    from keras_dhnn.pipelines.store.prepare import prepare
    from keras_dhnn.pipelines.synthetic.ucmd_twin import write_ucmd

    write_ucmd(folder, per_class=4)
    return prepare(ucmd.open_archive(folder), folder / "ucmd-synthetic", synthetic=True).info.directory


if __name__ == "__main__":
    main()
