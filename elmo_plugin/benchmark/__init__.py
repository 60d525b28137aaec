"""How fast the biLM is on the machine at hand, beside AllenNLP's own parts and beside what the machine can do."""
