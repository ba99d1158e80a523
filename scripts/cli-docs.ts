// Generates docs/cli.md: the commands of the kubectl plugin with their options, examples, and the rights that they use.
import { join } from 'node:path';
import type { CommandUnknownOpts } from '@commander-js/extra-typings';
import { format, resolveConfig } from 'prettier';
import type { Right } from '../src/cli/command.ts';
import { COMMANDS } from '../src/cli/commands.ts';
import { createIo } from '../src/cli/io.ts';
import { createProgram } from '../src/cli/program.ts';

export const CLI_PAGE = 'docs/cli.md';

const INTRODUCTION = `# kubectl apprelease

A plugin for kubectl that shows releases, waits for them, promotes them and rolls them back. It is one file that needs Node 24 and no installation in the
cluster. Everything that it does can be done with kubectl and YAML too: the plugin writes the same objects.

\`\`\`console
make install-cli            # to ~/.local/bin, or PREFIX=/usr/local
kubectl apprelease --help
kubectl apprelease completion install
\`\`\`

The plugin takes the kubeconfig, the context and the namespace as kubectl does: several files in \`KUBECONFIG\`, logins by credential plugins, \`proxy-url\`
and \`HTTPS_PROXY\`, and \`--as\` work. Output on a terminal is coloured unless \`NO_COLOR\` is set.

| Exit code | Means |
| --- | --- |
| 0 | Done. For \`status\` and \`--wait\`: what was asked for is reached. |
| 1 | Failed. For \`status\` and \`--wait\`: the version failed, or was taken back. |
| 2 | For \`status\` and \`--wait\`: the time is over. |
| 3 | For \`status\` and \`--wait\`: a person has to act, such as to approve a stage. |
| 130 | Ctrl-C. |`;

const CLUSTER_OPTIONS = `## Options of all commands that use the cluster`;

const RIGHTS = `## Rights

What each command asks of the API server. A command without one of its first rights fails; without one of the others it shows less, and says so.
The ClusterRoles \`apprelease-view\`, \`apprelease-edit\`, \`apprelease-rollback\` and \`apprelease-promote\` give the rights on the kinds of AppRelease.`;

export async function cliPage(): Promise<string> {
  const io = createIo(process, new AbortController().signal);
  const program = createProgram({ io, exit: () => undefined });
  const shown = COMMANDS.filter(({ isHidden }) => isHidden !== true);
  const commands = shown.map(({ create, rights }) => ({ command: create({ io, exit: () => undefined }), rights }));
  const common = commonOptions(program.commands);
  const text = [
    INTRODUCTION,
    ...commands.map(({ command }) => commandSection(command, common)),
    `${CLUSTER_OPTIONS}\n\n${optionTable(program.commands[0]?.options.filter(({ long }) => common.has(long)) ?? [])}`,
    `${RIGHTS}\n\n${rightsTable(commands)}`,
  ].join('\n\n');
  const path = join(import.meta.dirname, '..', CLI_PAGE);
  return format(text, { ...(await resolveConfig(path)), filepath: path });
}

/** The options of the first command that all commands with a namespace have. */
function commonOptions(commands: readonly CommandUnknownOpts[]): Set<string | undefined> {
  const ofCluster = commands.filter(({ options }) => options.some(({ long }) => long === '--kubeconfig'));
  const names = ofCluster.map(({ options }) => new Set(options.map(({ long }) => long)));
  return new Set([...(names[0] ?? [])].filter((name) => names.every((own) => own.has(name))));
}

function commandSection(command: CommandUnknownOpts, common: Set<string | undefined>, path = command.name()): string {
  const options = command.options.filter(({ long, hidden }) => !common.has(long) && !hidden);
  const examples = examplesOf(command);
  return [
    `## ${path}`,
    command.description(),
    ...(command.commands.length > 0 ? [] : [`\`\`\`text\nkubectl apprelease ${path} ${command.usage()}\n\`\`\``]),
    ...(options.length > 0 ? [optionTable(options)] : []),
    ...command.commands.map((child) => `#${commandSection(child, common, `${path} ${child.name()}`)}`),
    ...(examples === '' ? [] : [`\`\`\`console\n${examples}\n\`\`\``]),
  ].join('\n\n');
}

/** The examples of the help: the plugin writes them after the options. */
function examplesOf(command: CommandUnknownOpts): string {
  let help = '';
  command.configureOutput({ writeOut: (text) => (help += text), getOutHelpWidth: () => 1000 }).outputHelp();
  const [, examples = ''] = help.split('\nExamples:\n');
  return examples.replaceAll(/^ {2}/gm, '').trim();
}

function optionTable(options: CommandUnknownOpts['options']): string {
  return [
    '| Option | What it does |',
    '| --- | --- |',
    ...options.map(({ flags, description, argChoices }) => {
      const choices = argChoices ? ` (${argChoices.join(', ')})` : '';
      return `| \`${flags.replaceAll('|', '\\|')}\` | ${sentence(`${description}${choices}`)} |`;
    }),
  ].join('\n');
}

function sentence(text: string): string {
  return `${text[0]?.toUpperCase() ?? ''}${text.slice(1)}${/[.?]$/.test(text) ? '' : '.'}`.replaceAll('|', '\\|');
}

function rightsTable(commands: readonly { command: CommandUnknownOpts; rights: readonly Right[] }[]): string {
  const rows = commands.flatMap(({ command, rights }) => {
    const needed = rights.filter(({ without }) => without === undefined).map(rightText);
    const more = rights.flatMap((right) =>
      right.without === undefined ? [] : [`${rightText(right)}: ${right.without}`],
    );
    return `| \`${command.name()}\` | ${cell(needed)} | ${cell(more)} |`;
  });
  return ['| Command | Needs | Shows or does less without |', '| --- | --- | --- |', ...rows].join('\n');
}

function cell(texts: readonly string[]): string {
  return texts.length > 0 ? texts.join('<br>') : 'none';
}

function rightText({ verbs, resource }: Right): string {
  const group = resource.apiVersion.includes('/') ? `.${resource.apiVersion.split('/')[0] ?? ''}` : '';
  const subresource = resource.subresource === undefined ? '' : `/${resource.subresource}`;
  return `${verbs.join(', ')} \`${resource.plural}${subresource}${group}\``;
}
