// Names in tweets: WNUT-17 (Derczynski et al. 2017, CC BY 4.0).
//
//   DATA=wnut17 BILM=wt2-elmo STORE=wnut-store allennlp elmo-results training_configs/results/wnut17.jsonnet --runs OUT \
//     --page docs/results.md
//
// DATA is the folder of the published files, BILM one that elmo-export wrote, STORE one with its vectors of
// these sentences, so that they are computed once and not in each epoch of each training (docs/results.md has both
// commands). Sentences that STORE lacks are computed when they come.
local data = std.extVar('DATA');
local overrides = {
  train_data_path: data + '/wnut17train.conll',
  validation_data_path: data + '/emerging.dev.conll',
  test_data_path: data + '/emerging.test.annotated',
  'dataset_reader.separator': '\t',
  // The encoder that the table's numbers came from; padded_lstm is the same function from other random numbers.
  'model.encoder.type': 'lstm',
  'data_loader.batch_sampler.batch_size': 16,
  'trainer.num_epochs': 15,
  'trainer.patience': 5,
};
{
  task: 'Names in tweets',
  data: 'WNUT-17',
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
