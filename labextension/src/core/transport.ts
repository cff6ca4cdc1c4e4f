/** What a view is given: whole snapshots in, commands out. */
export interface Source {
  get(): unknown;
  /** Whether the kernel has left, so that the last snapshot is the last. */
  gone(): boolean;
  /** Calls back after every new snapshot and when the kernel leaves; returns the function that ends this. */
  onChange(callback: () => void): () => void;
  /** Settles when the kernel answers, which may be never. */
  send(command: Command): Promise<Reply>;
}

export interface Command {
  action: 'stop' | 'pause' | 'resume' | 'try';
  run: string;
  /** The trial of a search, the application that is tried; without it all of the run is meant. */
  part?: string;
  force?: true;
  /** What to try. */
  request?: HttpRequest;
}

export interface HttpRequest {
  method: string;
  path: string;
  body: string;
  type: string;
}

export interface Reply {
  status: 'ok' | 'error' | 'queued';
  message?: string;
}

/** Draws a source into `root` and keeps it up to date; returns the function that ends this. */
export type Mount = (root: HTMLElement, source: Source) => () => void;
