import { expect, test } from 'vitest';
import { mayGoOn } from './ask.ts';

interface Words {
  canAsk?: boolean;
  answer?: string;
  yes?: boolean;
  dryRun?: 'none' | 'server';
}

async function asked({ canAsk = true, answer = '', ...options }: Words) {
  const questions: string[] = [];
  const told: string[] = [];
  const io = {
    canAsk,
    ask: (question: string) => {
      questions.push(question);
      return Promise.resolve(answer);
    },
    err: (text: string) => told.push(text),
  };
  const goesOn = await mayGoOn(io, 'Roll back?', { dryRun: 'none', ...options });
  return { goesOn, questions, told };
}

test.each<[answer: string, goesOn: boolean]>([
  ['y', true],
  [' Yes ', true],
  ['', false],
  ['n', false],
  ['yellow', false],
])('the answer "%s" goes on: %s', async (answer, goesOn) => {
  expect(await asked({ answer })).toEqual({
    goesOn,
    questions: ['Roll back? [y/N] '],
    told: goesOn ? [] : ['Nothing was changed.\n'],
  });
});

test.each<[what: string, words: Words]>([
  ['without a terminal', { canAsk: false }],
  ['with --yes', { yes: true }],
  ['in a dry run', { dryRun: 'server' }],
])('nobody is asked %s', async (_what, words) => {
  expect(await asked(words)).toEqual({ goesOn: true, questions: [], told: [] });
});
