import { Command, Option } from '@commander-js/extra-typings';
import { describe, expect, test } from 'vitest';
import { COMMANDS } from '../commands.ts';
import { createProgram } from '../program.ts';
import { testIo } from '../testing.ts';
import { questionOf } from './question.ts';
import { PLACEHOLDERS } from './values.ts';

const program = new Command('apprelease')
  .addCommand(
    new Command('get')
      .alias('g')
      .summary('show one')
      .argument('<name>')
      .argument('[pool...]')
      .option('-n, --namespace <namespace>', 'the namespace')
      .option('-w, --watch', 'follow')
      .option('--to <version>', 'the version')
      .addOption(new Option('-o, --output <format>').choices(['json', 'yaml'])),
  )
  .addCommand(new Command('list'))
  .addCommand(new Command('secret'), { hidden: true });

const line = (positional: string[] = [], options = {}) => ({ positional, options });

describe('the next word is', () => {
  test.each([
    ['a command', [''], { kind: 'words', prefix: '', words: ['get', 'list', 'help'] }],
    ['a command that is half-written', ['ge'], { kind: 'words', prefix: 'ge', words: ['get', 'list', 'help'] }],
    ['an argument', ['get', ''], { kind: 'value', placeholder: 'name', prefix: '', line: line() }],
    ['an argument of an alias', ['g', 'w'], { kind: 'value', placeholder: 'name', prefix: 'w', line: line() }],
    [
      'an argument after options, whose values are no arguments',
      ['get', '-n', 'shop', '--to=2', '-w', ''],
      { kind: 'value', placeholder: 'name', prefix: '', line: line([], { namespace: 'shop', to: '2' }) },
    ],
    [
      'one of several arguments',
      ['get', 'web', 'a', ''],
      { kind: 'value', placeholder: 'pool', prefix: '', line: line(['web', 'a']) },
    ],
    [
      'the value of an option',
      ['get', 'web', '--to', '1'],
      { kind: 'value', placeholder: 'version', prefix: '1', line: line(['web']) },
    ],
    [
      'the value of an option with =',
      ['get', '--to=1'],
      { kind: 'value', placeholder: 'version', prefix: '1', line: line() },
    ],
    ['a choice', ['get', '-o', ''], { kind: 'words', prefix: '', words: ['json', 'yaml'] }],
    [
      'an option',
      ['get', '--wa'],
      { kind: 'words', prefix: '--wa', words: ['--namespace', '--watch', '--to', '--output', '--help'] },
    ],
    ['no option after --', ['get', '--', '-x'], { kind: 'value', placeholder: 'name', prefix: '-x', line: line() }],
    ['nothing, where there is no argument', ['list', ''], { kind: 'nothing', prefix: '' }],
    ['a command, for words that are none', ['gone', ''], { kind: 'nothing', prefix: '' }],
    [
      'an option of no command',
      ['get', '--unknown', ''],
      { kind: 'value', placeholder: 'name', prefix: '', line: line() },
    ],
  ])('%s', (_what, words, expected) => {
    const question = questionOf(program, words);
    expect(
      question.kind === 'words' ? { ...question, words: question.words.map(({ text }) => text) } : question,
    ).toEqual(expected);
  });
});

test('every placeholder of the commands is one that can be completed, or free text', () => {
  const free = [
    'text',
    'duration',
    'selector',
    'format',
    'file',
    'group',
    'uid',
    'words',
    'number',
    'command',
    'image',
    'generation',
    'step',
    'mode',
  ];
  const { commands } = createProgram({ io: testIo(), exit: () => undefined });
  const all = [...commands, ...commands.flatMap((command) => command.commands)];
  expect(commands).toHaveLength(COMMANDS.length);
  const used = all.flatMap(({ options, registeredArguments }) => [
    ...registeredArguments.map((argument) => argument.name()),
    ...options.flatMap(({ flags }) => /[<[]([^>\]]*?)(?:\.\.\.)?[>\]]/.exec(flags)?.[1] ?? []),
  ]);
  expect([...new Set(used)].filter((one) => ![...PLACEHOLDERS, ...free].includes(one))).toEqual([]);
});
