// `make explain RELEASE=shop/web`: says why nothing happens. Observes a release of the current kubectl context, plans as the
// operator does, prints the plan, and writes nothing.
import { KubeConfig } from '@kubernetes/client-node';
import { createCaches } from '../src/controller/kinds/caches.ts';
import type { ReconcileContext } from '../src/controller/release/context.ts';
import { createMemory } from '../src/controller/release/memory.ts';
import { observe } from '../src/controller/release/observe.ts';
import { createRooms } from '../src/controller/release/rooms.ts';
import { createClient } from '../src/kube/client.ts';
import { explain } from '../src/release/explain.ts';
import { plan } from '../src/release/plan.ts';

const key = process.argv[2];
const [namespace, name] = key?.split('/') ?? [];
if (!namespace || !name) {
  console.error('Name the AppRelease: make explain RELEASE=NAMESPACE/NAME');
  process.exit(2);
}

const kubeConfig = new KubeConfig();
kubeConfig.loadFromDefault();
const client = createClient(kubeConfig, { mayWrite: () => false });
const running = createCaches({
  client,
  enqueue: () => undefined,
  enqueueFirst: () => undefined,
  onPoolChange: () => undefined,
  onError: (error) => {
    console.error(error instanceof Error ? error.message : String(error));
  },
});
try {
  running.start();
  await running.synced;
  process.exitCode = await print(namespace, name);
} finally {
  await running.stop();
  await client.close();
}

async function print(ofNamespace: string, ofName: string): Promise<number> {
  const { caches } = running;
  const release = caches.releases.get(ofNamespace, ofName);
  if (!release) {
    const known = caches.releases.list().map(({ metadata }) => `${metadata.namespace}/${metadata.name}`);
    console.error(`There is no AppRelease ${ofNamespace}/${ofName}. There are: ${known.join(', ') || 'none'}`);
    return 1;
  }
  const context: ReconcileContext = {
    client,
    caches,
    // Pinned images need no registry; other images are shown as being resolved.
    lookupDigest: () => ({ state: 'pending' }),
    seesAllPods: true,
    now: Date.now,
    record: () => undefined,
    assertLeading: () => undefined,
    log: () => undefined,
  };
  const now = context.now();
  const observed = await observe(context, release, createMemory(), now, { rooms: createRooms(caches) });
  const { wanted, conditions, pools, actions, due } = explain(plan(observed, now));
  console.log(`${ofNamespace}/${ofName} wants ${wanted}\n`);
  console.log(block('Conditions', conditions));
  console.log(block('Pools', pools));
  console.log(block('The operator would do now', actions.length > 0 ? actions : ['nothing']));
  if (due !== undefined) console.log(`The next pass is at ${due}, or when something changes.`);
  return 0;
}

function block(title: string, lines: readonly string[]): string {
  return [title, ...lines.map((line) => `  ${line}`), ''].join('\n');
}
