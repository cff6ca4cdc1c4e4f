/** One application: its address, state, requests and deployments, and a box to try it. */
import type { Component } from '../core/component';
import { h, setAttr, setText, setTextOrHide, setVisible } from '../core/dom';
import { externalLink } from '../core/external-link';
import { stateLabel } from '../core/state-icon';
import type { Send } from '../core/transport';
import { deploymentTable } from './deployments';
import { messageBox } from './message-box';
import { requestMetrics } from './request-metrics';
import { requestTester } from './request-tester';
import type { Application } from './status';
import { deployedText, newText, stateLabelOf, updateText } from './text';

export interface ApplicationProps {
  application: Application;
  /** What the view says above the application, and need not be said again. */
  textAbove: string;
  isOnly: boolean;
  kernelGone: boolean;
}

export function applicationSection(send: Send): Component<ApplicationProps> {
  const head = header();
  const update = h('div', 'update');
  const message = messageBox();
  const metrics = requestMetrics();
  const deployments = deploymentTable();
  const tester = requestTester(send);
  const node = h('section', 'section app', head.node, update, message.node, metrics.node, deployments.node, tester.node);
  return {
    node,
    update(props) {
      const { application, textAbove } = props;
      head.update(application);
      setTextOrHide(update, updateText(application));
      message.update({ status: application.status, message: newText(application.message, textAbove) });
      metrics.update(application);
      deployments.update({ application, textAbove });
      tester.update(props);
      setAttr(node, 'aria-label', `Application ${application.name}`);
    },
    dispose: tester.dispose,
  };
}

function header(): Component<Application> {
  const state = stateLabel();
  const name = h('b', 'name');
  const address = addressLink('');
  const docs = addressLink('Docs');
  const deployed = h('span', 'muted right');
  return {
    node: h('div', 'head', name, state.node, address.node, docs.node, deployed),
    update(application) {
      setText(name, application.name);
      state.update(stateLabelOf(application.status));
      address.update(application.url || application.route || 'not reachable by HTTP');
      docs.update(application.docs);
      setText(deployed, deployedText(application));
    },
  };
}

/** A link where a browser may follow the address. Else its text, unless the link has a label of its own. */
function addressLink(label: string): Component<string> {
  const linkText = h('span', '', label);
  const link = externalLink(linkText);
  const plainText = h('span', 'muted');
  const node = h('span', 'address', link.node, plainText);
  return {
    node,
    update(address) {
      const isLink = link.update(address);
      setText(linkText, label || address);
      setText(plainText, label ? '' : address);
      setVisible(plainText, !isLink);
      setVisible(node, isLink || plainText.textContent !== '');
    },
  };
}
