/** The ports of a pod template that a Service can name as its targetPort. Pure. */
import type { Container, PodTemplate } from '../../api/app-release.ts';

type ContainerPort = NonNullable<Container['ports']>[number];

/** The named ports of the containers and of the sidecars, which are init containers with restartPolicy Always. */
export function namedPorts({ spec: { containers, initContainers = [] } }: PodTemplate): ContainerPort[] {
  const sidecars = initContainers.filter(({ restartPolicy }) => restartPolicy === 'Always');
  return [...containers, ...sidecars].flatMap(({ ports = [] }) => ports).filter(({ name }) => name !== undefined);
}

/** Whether one of the ports has the name and the protocol. */
export function hasPort(ports: readonly ContainerPort[], wanted: string, protocol: string): boolean {
  return ports.some((port) => port.name === wanted && (port.protocol ?? 'TCP') === protocol);
}
