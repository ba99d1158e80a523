// A virtual machine by QEMU's software emulation (https://www.qemu.org/docs/master/devel/index-tcg.html), plugged into a
// bridge. It ends with the process that started it.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { unref, type Running } from '../cluster/processes.ts';
import { execute } from '../kind/engine.ts';
import type { Build } from './disk.ts';

export interface MachineOptions {
  readonly name: string;
  readonly build: Build;
  /** The machine's copy of the build's disk. */
  readonly disk: string;
  /** A tar archive with its configuration; see guest/machine. */
  readonly seed: string;
  readonly bridge: string;
  readonly mac: string;
  /** Receives the console output. */
  readonly logFile: string;
}

const MEMORY_MIB = 1500;
/** Ends QEMU when its input pipe ends, and removes the network device. */
const WITH_US = 'tap=$0; "$@" </dev/null & qemu=$!; read -r _; kill -KILL $qemu; wait $qemu; ip link delete dev "$tap"';

/** stop() is a power cut: the machine gets no signal, and writes nothing more to its disk. */
export async function startMachine({ name, logFile, ...options }: MachineOptions): Promise<Running> {
  const { kernel, initrd } = options.build;
  // The maximum length of a device name.
  const tap = `tap-${name}`.slice(0, 15);
  await execute('ip', ['tuntap', 'add', 'dev', tap, 'mode', 'tap']);
  await execute('ip', ['link', 'set', 'dev', tap, 'master', options.bridge, 'up']);
  const qemu = [
    ...['qemu-system-x86_64', '-name', name, '-accel', 'tcg,thread=multi', '-cpu', 'max', '-smp', '2'],
    ...['-m', String(MEMORY_MIB), '-display', 'none', '-monitor', 'none', '-serial', 'stdio', '-no-reboot'],
    ...['-kernel', kernel.image, '-initrd', initrd, '-append', 'console=ttyS0 panic=-1 quiet'],
    ...['-drive', `file=${options.disk},format=raw,if=virtio`],
    ...['-drive', `file=${options.seed},format=raw,if=virtio,readonly=on`],
    ...['-netdev', `tap,id=net,ifname=${tap},script=no,downscript=no`],
    ...['-device', `virtio-net-pci,netdev=net,mac=${options.mac}`],
  ];
  const log = openSync(logFile, 'a');
  const child = spawn('/bin/sh', ['-c', WITH_US, tap, ...qemu], { detached: true, stdio: ['pipe', log, log] });
  closeSync(log);
  await once(child, 'spawn');
  child.unref();
  if (child.stdin) unref(child.stdin);
  const ended = () => child.exitCode !== null || child.signalCode !== null;
  return {
    name: `machine ${name}`,
    pid: child.pid ?? 0,
    logFile,
    ended,
    stop: async () => {
      if (ended()) return;
      child.ref();
      child.stdin?.end();
      await once(child, 'exit');
    },
  };
}
