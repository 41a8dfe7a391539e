<?php
// Finds the generated client, and Guzzle of the Debian package. A project does this with Composer.
require '/usr/share/php/GuzzleHttp/autoload.php';

spl_autoload_register(function (string $class): void {
    $file = getenv('CLIENT') . '/lib/' . str_replace('\\', '/', substr($class, strlen('LrsGateway\\'))) . '.php';
    if (str_starts_with($class, 'LrsGateway\\') && is_file($file)) {
        require $file;
    }
});
