// What the libraries of all tasks derive from their knobs in the same way; each adds its own parts to it.
{
  local config = self,

  random_seed: config.seed,
  numpy_seed: config.seed,
  pytorch_seed: config.seed,

  train_data_path: config.train_data,
  validation_data_path: config.dev_data,
  test_data_path: config.test_data,
  evaluate_on_test: config.test_data != null,
  // Words, or characters, of the other files are unknown ones, as they would be in use.
  datasets_for_vocab_creation: ['train'],

  model: {
    text_field_embedder: {
      token_embedders: {
        [if config.elmo != null then 'elmo']: {
          type: 'elmo',
          dropout: config.elmo_dropout,
          [if config.elmo_learning_rate != null then 'requires_grad']: true,
        } + config.elmo,
      },
    },
    dropout: config.dropout,
    [if config.mix_l2 != null then 'regularizer']: {
      regexes: [['scalar_mix_\\d+\\.scalar_parameters', { type: 'l2', alpha: config.mix_l2 }]],
    },
  },

  trainer: {
    optimizer: {
      type: 'adam',
      lr: config.learning_rate,
      [if config.elmo_learning_rate != null then 'parameter_groups']: [
        [['token_embedder_elmo\\.bilm\\.'], { lr: config.elmo_learning_rate }],
      ],
    },
    num_epochs: config.num_epochs,
    patience: config.patience,
    validation_metric: '+f1',
    grad_norm: config.grad_norm,
    // Checkpoints that are whole or not there: a stop in the middle of one leaves the one before to `--recover`.
    checkpointer: { type: 'elmo_whole' },
  },
}
