// Domain transfer: a pretrained biLM goes on learning, on the text of a task or of a field.
//
//   allennlp train training_configs/bilm_finetune.jsonnet -s OUT
//
// It begins with an archive of this project (`initializer: {archive_file: …}`) or with the options.json and weights.hdf5 of
// any ELMo. Those hold no softmax; rows for words that the model never predicted are made from their characters. The first
// epoch trains the softmax alone, the others the whole, the biLM at a tenth of the softmax's rate.
//
// On your own text (`allennlp elmo-prepare` writes these files), from your own model:
//
//   -o '{"train_data_path": "my/train*.txt", "validation_data_path": "my/heldout.txt", "vocabulary.file": "my/vocabulary.txt",
//        "model.initializer": {"archive_file": "my/model.tar.gz"}}'
//
// On the text of a tagged corpus, its labels ignored, add "dataset_reader.word_column": 0.
(import 'lib/bilm.libsonnet') + {
  local config = self,

  train_data:: 'fixtures/corpus/train.txt',
  heldout_data:: 'fixtures/corpus/heldout.txt',
  vocabulary_file:: 'fixtures/corpus/vocabulary.txt',
  initializer:: { options_file: 'fixtures/bilm/options.json', weight_file: 'fixtures/bilm/weights.hdf5' },
  num_samples:: null,
  batch_size:: 16,
  num_epochs:: 3,

  optimizer:: {
    type: 'adamw',
    lr: 0.03,
    weight_decay: 0.0,
    parameter_groups: [[['^language_model\\.bilm\\.'], {}], [['^language_model\\.softmax\\.'], {}]],
  },

  model+: {
    options:: null,  // The pretrained model's.
    initializer: config.initializer,
  },
  trainer+: {
    learning_rate_scheduler: {
      type: 'slanted_triangular',
      gradual_unfreezing: true,
      discriminative_fine_tuning: true,
      decay_factor: 0.1,
    },
  },
}
