// Names in Wikipedia: wikigold (Balasuriya et al. 2009, CC BY 4.0), cut in three by benchmarks/wikigold_parts.py.
//
//   DATA=wikigold BILM=wt2-elmo STORE=wikigold-store allennlp elmo-results training_configs/results/wikigold.jsonnet --runs OUT \
//     --page docs/results.md
//
// DATA is the folder of the three parts, BILM one that elmo-export wrote, STORE one with its vectors of
// these sentences, so that they are computed once and not in each epoch of each training (docs/results.md has both
// commands). Sentences that STORE lacks are computed when they come.
local data = std.extVar('DATA');
local overrides = {
  train_data_path: data + '/train.conll',
  validation_data_path: data + '/dev.conll',
  test_data_path: data + '/test.conll',
  // The encoder that the table's numbers came from; padded_lstm is the same function from other random numbers.
  'model.encoder.type': 'lstm',
  'data_loader.batch_sampler.batch_size': 16,
  'trainer.num_epochs': 20,
  'trainer.patience': 5,
};
{
  task: 'Names in Wikipedia',
  data: 'wikigold',
  metrics: [
    { key: 'test_f1', title: 'test F1', scale: 100 },
    { key: 'best_validation_f1', title: 'development F1', scale: 100 },
  ],
  arms: [
    { name: 'baseline', config: 'training_configs/ner_baseline.jsonnet', overrides: overrides },
    {
      name: '+ ELMo',
      config: 'training_configs/ner_with_elmo.jsonnet',
      overrides: overrides + (import 'lib/stored_elmo.libsonnet'),
    },
  ],
  seeds: [1, 2, 3],
}
