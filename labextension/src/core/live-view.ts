/** Shows the snapshots of a transport in a component, and lets its clocks tick between two snapshots. */
import type { Component } from './component';
import { classNames } from './dom';
import type { Send, Transport } from './transport';

export interface ViewState {
  snapshot: unknown;
  /** Seconds since the snapshot came. */
  age: number;
  kernelGone: boolean;
}

/** Draws into `root` and keeps it up to date; returns the function that ends this. */
export type Mount = (root: HTMLElement, transport: Transport) => () => void;

/** `ticks` says of a snapshot whether its clocks run. */
export function liveView(build: (send: Send) => Component<ViewState>, ticks: (snapshot: unknown) => boolean): Mount {
  return (root, transport) => {
    const component = build(command => transport.send(command));
    let since = performance.now();
    let age = 0;
    const update = (): void => component.update({ snapshot: transport.snapshot(), age, kernelGone: transport.isKernelGone() });
    const unsubscribe = transport.onChange(() => {
      if (!transport.isKernelGone()) {
        since = performance.now();
        age = 0;
      }
      update();
    });
    const timer = setInterval(() => {
      if (transport.isKernelGone() || !ticks(transport.snapshot())) return;
      age = (performance.now() - since) / 1000;
      update();
    }, 1000);
    const name = classNames('view');
    root.classList.add(name);
    root.append(component.node);
    update();
    return () => {
      unsubscribe();
      clearInterval(timer);
      component.dispose?.();
      component.node.remove();
      root.classList.remove(name);
    };
  };
}
