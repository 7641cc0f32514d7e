"""The place of the Triton versions: same file names and signatures as `kernels.reference`, which GPUs run until then."""
