// The smallest row: the fixtures, ten epochs, two seeds. To see how the table is made, not to learn anything from.
//
//   allennlp elmo-results training_configs/results/names.jsonnet --runs OUT
local arm(name, config) = { name: name, config: 'training_configs/%s.jsonnet' % config, overrides: { 'trainer.num_epochs': 10 } };
{
  task: 'Names in a few sentences',
  data: 'fixtures/tagged',
  metrics: [{ key: 'test_f1', title: 'test F1', scale: 100 }],
  arms: [arm('baseline', 'ner_baseline'), arm('+ ELMo', 'ner_with_elmo')],
  seeds: [1, 2],
}
