"""Runs `python -m official.nlp.train`, whose flags have none for a seed, with everything seeded."""

import runpy

import tensorflow as tf
import tf_keras

if __name__ == "__main__":
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    tf.config.experimental.enable_op_determinism()
    tf_keras.utils.set_random_seed(20)
    runpy.run_module("official.nlp.train", run_name="__main__", alter_sys=True)
