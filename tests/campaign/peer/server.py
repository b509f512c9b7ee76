"""llama.cpp's llama-server, out of the package xllamacpp (prebuilt for AVX2), as a process.

usage: server.py MODEL.gguf THREADS STREAMS CONTEXT PORT     CONTEXT: tokens of all streams together
"""

import signal
import sys

import xllamacpp


def main():
    model, (threads, streams, context, port) = sys.argv[1], map(int, sys.argv[2:])
    parameters = xllamacpp.CommonParams()
    parameters.model.path = model
    parameters.cpuparams.n_threads = threads
    parameters.cpuparams_batch.n_threads = threads
    parameters.n_parallel = streams
    parameters.n_ctx = context
    parameters.hostnames = ["127.0.0.1"]
    parameters.port = port
    server = xllamacpp.Server(parameters)
    print("listening on", server.listening_address, flush=True)
    signal.pause()


if __name__ == "__main__":
    main()
