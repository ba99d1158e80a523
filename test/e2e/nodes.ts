// Actions on machines: the nodes of kind are containers of the engine.
import { controlPlane } from '../kind/cluster.ts';
import { e2e, kubectl, type World } from './world.ts';

/** Removes the image of a version from nodes, like the kubelet's garbage collection. */
export async function forget(world: World, version: string, nodes = e2e.cluster.nodes): Promise<void> {
  const { digest, manifests } = await world.images.push(version);
  const digests = [digest, ...Object.values(manifests)];
  for (const node of nodes) {
    const names = (await world.engine.run(['exec', node, 'ctr', '--namespace=k8s.io', 'images', 'list'])).split('\n');
    const own = names.filter((line) => digests.some((candidate) => line.includes(candidate)));
    for (const line of own) {
      const [name = ''] = line.split(' ');
      await world.engine.run(['exec', node, 'ctr', '--namespace=k8s.io', 'images', 'remove', '--sync', name]);
    }
  }
}

/** Whether any of a pool's newest pods pulled its image, by the kubelet's events. */
export async function imagePulls(world: World, pool: string): Promise<boolean> {
  const pods = (await world.pods(pool)).toSorted((a, b) => (a.createdAt < b.createdAt ? -1 : 1));
  const newest = pods.filter(({ image }) => image === pods.at(-1)?.image);
  const pulls = await Promise.all(newest.map(({ name }) => pulled(world, name)));
  return pulls.includes(true);
}

async function pulled(world: World, pod: string): Promise<boolean> {
  const selector = `--field-selector=involvedObject.name=${pod},reason=Pulled`;
  let messages = '';
  await world.until(`an event that tells of a pull for ${pod}`, async () => {
    messages = await world.kubectl('get', 'events', selector, '--output=jsonpath={.items[*].message}');
    return /Successfully pulled|already present/.test(messages);
  });
  return messages.includes('Successfully pulled');
}

/** Stops the node's machine for a while, as on an overloaded host or during a migration. */
export async function freeze(world: World, node: string): Promise<void> {
  await world.engine.run(['pause', node]);
  await kubectl('wait', `node/${node}`, '--for=condition=Ready=Unknown', '--timeout=120s');
}

export async function thaw(world: World, node: string): Promise<void> {
  await world.engine.run(['unpause', node]);
  await kubectl('wait', `node/${node}`, '--for=condition=Ready', '--timeout=120s');
}

/** Kills the processes of a pod on the control plane node. */
export async function killPod(world: World, pod: string): Promise<void> {
  const ctr = ['exec', controlPlane, 'ctr', '--namespace=k8s.io'];
  const filters = [`labels."io.kubernetes.pod.name"==${pod}`, 'labels."io.cri-containerd.kind"==container'];
  const found = await world.engine.run([...ctr, 'containers', 'list', '--quiet', filters.join(',')]);
  for (const id of found.trim().split('\n')) {
    // Ended containers have no task.
    await world.engine.run([...ctr, 'tasks', 'kill', '--signal=SIGKILL', id]).catch(() => '');
  }
}

/** Kills the API server; the kubelet of the control plane restarts it. */
export async function restartApiServer(world: World): Promise<void> {
  await world.engine.run(['exec', controlPlane, 'pkill', '-KILL', 'kube-apiserver']);
  await world.until('the API server', async () => (await kubectl('get', '--raw=/readyz')) === 'ok');
}
