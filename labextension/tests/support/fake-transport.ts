import type { Command, Reply, Transport } from '../../src/core/transport';

/** A transport in the hands of a test. */
export class FakeTransport implements Transport {
  sent: Command[] = [];
  answer: () => Promise<Reply> = () => Promise.resolve({ status: 'ok' });
  kernelGone = false;
  private callbacks = new Set<() => void>();

  constructor(
    private current: unknown,
    private card: (snapshot: unknown) => unknown = snapshot => snapshot,
  ) {}

  snapshot(): unknown {
    return this.card(this.current);
  }

  isKernelGone(): boolean {
    return this.kernelGone;
  }

  leave(): void {
    this.kernelGone = true;
    this.set(this.current);
  }

  set(snapshot: unknown): void {
    this.current = snapshot;
    for (const callback of [...this.callbacks]) callback();
  }

  onChange(callback: () => void): () => void {
    this.callbacks.add(callback);
    return () => this.callbacks.delete(callback);
  }

  get watched(): boolean {
    return this.callbacks.size > 0;
  }

  send(command: Command): Promise<Reply> {
    this.sent.push(command);
    return this.answer();
  }
}
