/** A box for one request to an application, and the response to it. */
import type { Component } from '../core/component';
import { h, setVisible, suppressShortcuts } from '../core/dom';
import type { HttpRequest, Send } from '../core/transport';
import { requestForm } from './request-form';
import { requestSender } from './request-sender';
import { responseBox } from './response';
import { MAX_BODY_LENGTH, type Application } from './status';

interface RequestTesterProps {
  application: Application;
  isOnly: boolean;
  kernelGone: boolean;
}

export function requestTester(send: Send): Component<RequestTesterProps> {
  let current: Application | null = null;
  const form = requestForm(() => {
    const request = form.read();
    const problem = problemWith(request);
    if (problem) sender.refuse(problem);
    else if (current) sender.send({ action: 'try', run: 'serve', part: current.id, request });
  });
  const sender = requestSender(send, form.button);
  const result = responseBox();
  const summary = h('summary', 'title', 'Try it');
  const node = h('details', 'try', summary, form.node, sender.message, result.node);
  let isUpdated = false;
  suppressShortcuts(summary);
  return {
    node,
    update({ application, isOnly, kernelGone }) {
      const { route, response } = application;
      current = application;
      if (!isUpdated) node.open = isOnly || response !== null;
      isUpdated = true;
      form.update(application);
      sender.update({ response, kernelGone });
      result.update(response);
      setVisible(form.node, route !== '');
      setVisible(node, route !== '' || response !== null);
    },
    dispose: sender.dispose,
  };
}

function problemWith({ path, body }: HttpRequest): string {
  if (!path.startsWith('/')) return 'The path begins with a slash, as in /digits.';
  return body.length > MAX_BODY_LENGTH ? `The body has ${body.length} characters; ${MAX_BODY_LENGTH} are the most.` : '';
}
