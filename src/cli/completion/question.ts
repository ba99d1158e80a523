/** What a half-written command line asks for next. Pure. */
import type { CommandUnknownOpts, Option } from '@commander-js/extra-typings';

/** What comes next, and what of it is written already. */
export type Question = { readonly prefix: string } & (
  | { readonly kind: 'words'; readonly words: readonly Word[] }
  /** The name of something in the cluster or in the kubeconfig, by the placeholder in the help. */
  | { readonly kind: 'value'; readonly placeholder: string; readonly line: Line }
  | { readonly kind: 'nothing' }
);

export interface Word {
  readonly text: string;
  readonly help: string;
}

/** The part of the command line that is complete. */
export interface Line {
  readonly positional: readonly string[];
  /** By the attribute name of commander, such as allNamespaces. The last value. */
  readonly options: Readonly<Record<string, string>>;
}

/** `words`: all words after the plugin's name; the last one is being written, and may be empty. */
export function questionOf(program: CommandUnknownOpts, words: readonly string[]): Question {
  const prefix = words.at(-1) ?? '';
  const positional: string[] = [];
  const options: Record<string, string> = {};
  let command = program;
  let awaited: Option | undefined;
  let isAfterDashes = false;
  for (const word of words.slice(0, -1)) {
    if (awaited) {
      options[awaited.attributeName()] = word;
      awaited = undefined;
    } else if (word === '--') isAfterDashes = true;
    else if (word.startsWith('-') && !isAfterDashes) {
      const [flag = '', value] = word.split(/=(.*)/s);
      const option = optionOf(command, flag);
      if (option && value !== undefined) options[option.attributeName()] = value;
      else if (option && takesValue(option)) awaited = option;
    } else {
      const child = positional.length === 0 ? childOf(command, word) : undefined;
      if (child) command = child;
      else positional.push(word);
    }
  }
  const line = { positional, options };
  if (awaited) return valueOf(awaited, prefix, line);
  const [flag = '', value] = prefix.split(/=(.*)/s);
  if (flag.startsWith('-') && !isAfterDashes) {
    const option = value === undefined ? undefined : optionOf(command, flag);
    return option ? valueOf(option, value ?? '', line) : { kind: 'words', prefix, words: flagsOf(command) };
  }
  if (command.commands.length > 0 && positional.length === 0)
    return { kind: 'words', prefix, words: childrenOf(command) };
  const { registeredArguments } = command;
  const last = registeredArguments.at(-1);
  const argument = registeredArguments[positional.length] ?? (last?.variadic ? last : undefined);
  if (!argument) return { kind: 'nothing', prefix };
  if (argument.argChoices) return { kind: 'words', prefix, words: argument.argChoices.map(toWord) };
  return { kind: 'value', prefix, placeholder: argument.name(), line };
}

function valueOf(option: Option, prefix: string, line: Line): Question {
  if (option.argChoices) return { kind: 'words', prefix, words: option.argChoices.map(toWord) };
  const placeholder = /[<[]([a-z/-]+?)(?:\.\.\.)?[>\]]/.exec(option.flags)?.[1] ?? '';
  return { kind: 'value', prefix, placeholder, line };
}

function toWord(text: string): Word {
  return { text, help: '' };
}

function optionOf(command: CommandUnknownOpts, flag: string): Option | undefined {
  return command.options.find(({ short, long }) => short === flag || long === flag);
}

function takesValue(option: Option): boolean {
  return option.required || option.optional;
}

function childOf(command: CommandUnknownOpts, word: string): CommandUnknownOpts | undefined {
  return command.commands.find((child) => child.name() === word || child.aliases().includes(word));
}

function childrenOf(command: CommandUnknownOpts): Word[] {
  const help = command.createHelp();
  return help
    .visibleCommands(command)
    .map((child) => ({ text: child.name(), help: help.subcommandDescription(child) }));
}

function flagsOf(command: CommandUnknownOpts): Word[] {
  return command
    .createHelp()
    .visibleOptions(command)
    .map(({ long, short, description }) => ({ text: long ?? short ?? '', help: description }));
}
