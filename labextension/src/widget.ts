/** The entry for anywidget: a view of the model's status in each output that shows it. */
import { receiveRows, transportOf, type Model } from './anywidget-transport';
import { mount } from './view';

interface Props {
  model: Model;
  el: HTMLElement;
}

export default {
  // Called once for a model and before its views, which all show the rows that are kept here.
  initialize: ({ model }: Pick<Props, 'model'>): (() => void) => receiveRows(model),
  render: ({ model, el }: Props): (() => void) => mount(el, transportOf(model)),
};
