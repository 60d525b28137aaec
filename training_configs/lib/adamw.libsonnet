// AdamW with warm-up and cosine instead of the paper's Adagrad, for a leaf config of your own:
//
//   (import 'bilm_small.jsonnet') + (import 'lib/adamw.libsonnet')
//
// docs/training.md, "Optimisers", has the same for the command line, and docs/results.md the two curves.
{
  warmup_steps:: 200,
  optimizer:: { type: 'adamw', lr: 0.003, weight_decay: 0.01 },
  learning_rate_scheduler:: { type: 'elmo_cosine', warmup_steps: $.warmup_steps },
}
