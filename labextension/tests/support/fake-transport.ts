import type { Command, Reply, Source } from '../../src/core/transport';

/** A source in the hands of a test. */
export class FakeSource implements Source {
  sent: Command[] = [];
  answer: () => Promise<Reply> = () => Promise.resolve({ status: 'ok' });
  left = false;
  private callbacks = new Set<() => void>();

  constructor(private snapshot: unknown) {}

  get(): unknown {
    return this.snapshot;
  }

  gone(): boolean {
    return this.left;
  }

  leave(): void {
    this.left = true;
    this.set(this.snapshot);
  }

  set(snapshot: unknown): void {
    this.snapshot = snapshot;
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
