/** kubectl apprelease __complete: answers kubectl, which asks for the words that may come next. */
import { Command } from '@commander-js/extra-typings';
import type { CommandUnknownOpts } from '@commander-js/extra-typings';
import type { CliCommand } from '../command.ts';
import type { Word } from '../completion/question.ts';
import { questionOf } from '../completion/question.ts';
import { valuesOf } from '../completion/values.ts';
import { EXIT } from '../exit-codes.ts';

/** Directives of Cobra (https://pkg.go.dev/github.com/spf13/cobra#ShellCompDirective). */
const FILES = 0;
const NO_FILES = 4;

export const COMPLETE = '__complete';

export const complete: CliCommand = {
  rights: [],
  isHidden: true,
  create: ({ io, exit }) =>
    new Command(COMPLETE)
      .argument('[words...]')
      .allowUnknownOption()
      .helpOption(false)
      .action(async (words, _options, command) => {
        const question = questionOf(command.parent as CommandUnknownOpts, words);
        const { prefix } = question;
        if (question.kind === 'value' && question.placeholder === 'file') io.out(answer([], FILES));
        else {
          const found =
            question.kind === 'words'
              ? question.words
              : question.kind === 'value'
                ? await valuesOf(question.placeholder, question.line, io)
                : [];
          io.out(
            answer(
              found.filter(({ text }) => text.startsWith(prefix)),
              NO_FILES,
            ),
          );
        }
        exit(EXIT.ok);
      }),
};

function answer(words: readonly Word[], directive: number): string {
  return [...words.map(({ text, help }) => (help === '' ? text : `${text}\t${help}`)), `:${directive}`, ''].join('\n');
}
