// Prints and runs commands that a user would type.
import { execFile } from 'node:child_process';
import { dirname } from 'node:path';
import type { Screen } from './screen.ts';
import type { DemoStage } from './setup.ts';

/**
 * Shows the command, runs it, and shows its output, unless `quiet`.
 * @throws Error with its standard error
 */
export type Shell = (command: string, options?: { readonly quiet?: boolean }) => Promise<void>;

/** A shell in the checkout, with the cluster's kubectl, isolated from the user's kubectl configuration. */
export function createShell({ binaries, kubeconfigPath, checkout: cwd }: DemoStage, screen: Screen): Shell {
  const env = {
    ...process.env,
    PATH: `${dirname(binaries.kubectl)}:${process.env['PATH'] ?? ''}`,
    KUBECONFIG: kubeconfigPath,
    KUBECACHEDIR: `${cwd}/.kube-cache`,
    KUBERC: 'off',
  };
  return async (command, { quiet = false } = {}) => {
    screen.say(`  ${screen.paint('bold', `$ ${command}`)}`);
    const output = await new Promise<string>((resolve, reject) => {
      execFile('/bin/sh', ['-ec', command], { cwd, env }, (error, stdout, stderr) => {
        if (error === null) resolve(stdout.trimEnd());
        else reject(new Error(`${command}\n${stderr.trim() || error.message}`, { cause: error }));
      });
    });
    if (output !== '' && !quiet) screen.say(...output.split('\n').map((line) => `  ${line}`));
  };
}
