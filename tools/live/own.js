// Pictures of your own, from a file or from the camera. They stay in the page.

/** The middle square of a picture, as a canvas of side × side pixels; what is transparent is laid on white. */
export function square(page, source, width, height, side) {
  const least = Math.min(width, height), sheet = page.createElement('canvas');
  sheet.width = sheet.height = side;
  const context = sheet.getContext('2d', {willReadFrequently: true});
  context.imageSmoothingQuality = 'high';
  context.fillStyle = 'white';
  context.fillRect(0, 0, side, side);
  context.drawImage(source, (width - least) / 2, (height - least) / 2, least, least, 0, 0, side, side);
  return sheet;
}

/** The numbers in a canvas as [3, height, width], red, green, blue from 0 to 1. */
export function colors(sheet) {
  const {width, height} = sheet, size = width * height, data = new Float32Array(3 * size);
  const pixels = sheet.getContext('2d').getImageData(0, 0, width, height).data;
  for (let p = 0; p < size; p++)
    for (let channel = 0; channel < 3; channel++) data[channel * size + p] = pixels[4 * p + channel] / 255;
  return {data, shape: [3, height, width]};
}

/** One number for each pixel, its brightness as the eye weighs it, [1, height, width]. */
export function brightness({data, shape: [, height, width]}) {
  const size = height * width;
  const gray = Float32Array.from({length: size}, (_, p) =>
    0.299 * data[p] + 0.587 * data[size + p] + 0.114 * data[2 * size + p]);
  return {data: gray, shape: [1, height, width]};
}

/**
 * Connect the page's file field, camera button and line for errors. `show` gets the middle square of every picture, as
 * [3, side, side], and whether it is one of a film. Returns a function that stops the camera.
 */
export function own(page, side, show) {
  const element = name => page.getElementById(name);
  let camera = null;
  const say = words => { element('error').textContent = words; };

  function stop() {
    if (camera) camera.getTracks().forEach(track => track.stop());
    camera = null;
    element('camera').textContent = 'camera';
  }

  element('file').addEventListener('change', async event => {
    const [file] = event.target.files;
    if (!file) return;
    try {
      const picture = await createImageBitmap(file);
      stop();
      say('');
      show(colors(square(page, picture, picture.width, picture.height, side)), false);
    } catch {
      say(`${file.name} is not a picture that this browser can open: try a JPEG or a PNG.`);
    }
  });
  element('camera').addEventListener('click', async () => {
    if (camera) { stop(); return; }
    const film = page.createElement('video');
    film.muted = film.playsInline = true;
    try {
      camera = await navigator.mediaDevices.getUserMedia({video: {width: 640, facingMode: 'environment'}});
      film.srcObject = camera;
      await film.play();
    } catch {
      stop();
      say('There is no camera, or this page may not use it.');
      return;
    }
    say('');
    element('camera').textContent = 'stop the camera';
    const frame = () => {
      if (!camera) return;
      show(colors(square(page, film, film.videoWidth, film.videoHeight, side)), true);
      requestAnimationFrame(frame);
    };
    frame();
  });
  return stop;
}
