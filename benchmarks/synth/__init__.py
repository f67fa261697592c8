"""What the library costs at synth: against raw L2 constructs, and with many functions. `python -m benchmarks.synth`."""
