"""What a training run will need before it starts: parameters, memory, steps, time, cost."""
