"""The project's table of tasks: trainings with and without ELMo, repeated over seeds, summed up."""
