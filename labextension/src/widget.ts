/** The entry for anywidget: a view of the model's status in each output that shows it. */
import { receiveRows, transportOf, type Model } from './anywidget-transport';
import { h } from './core/dom';
import { asText } from './core/json-readers';
import { keepAtPlace, leavePlace, moveToPlace } from './core/lasting-place';
import { mount } from './view';

interface Props {
  model: Model;
  el: HTMLElement;
}

/** A model and its views, by the key of their place. What hangs on this face of the model stays when an output goes. */
const owners = new Map<string, { model: Model; ends: Set<() => void> }>();

/** Shows a model that has no output of its own but still HTML; returns the function that ends this. */
function showAtPlace(key: string, model: Model): () => void {
  const root = h('div');
  const unmount = mount(root, transportOf(model));
  const leave = keepAtPlace(key, root);
  return () => {
    unmount();
    leave();
  };
}

export default {
  // Called once for a model and before its views, which all show the rows that are kept here.
  initialize({ model }: Pick<Props, 'model'>): () => void {
    const key = asText(model.get('place'));
    const ends = new Set([receiveRows(model)]);
    if (key) owners.set(key, { model, ends });
    if (key && model.get('still') === true) ends.add(showAtPlace(key, model));
    return () => {
      owners.delete(key);
      for (const end of ends) end();
    };
  },
  render({ model, el }: Props): () => void {
    const key = asText(model.get('place'));
    const owner = owners.get(key);
    const root = h('div');
    el.append(root);
    const unmount = mount(root, transportOf(owner?.model ?? model));
    const end = (): void => {
      owner?.ends.delete(end);
      unmount();
      leavePlace(root);
    };
    if (!owner) return end;
    owner.ends.add(end);
    return () => moveToPlace(key, root, end);
  },
};
