// The network beside the page: while it computes, the page stays alive. The first message is the file of the network,
// every other one is an image; the answers are shares of the work, and at the end {maps, logits}.
let layers = null;
self.onmessage = ({data}) => {
  if (!layers) {
    layers = decode(data);
    return;
  }
  for (const going = run(layers, data); ;) {
    const {value, done} = going.next();
    self.postMessage(done ? value : {share: value});
    if (done) return;
  }
};
