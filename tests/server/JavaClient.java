import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.concurrent.ConcurrentSkipListSet;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;

/** Makes calls with Java's own HTTP client and its default settings. Arguments: URL, token, body. */
public class JavaClient {
    private static final int THREADS = 8;
    private static final int CALLS_PER_THREAD = 50;

    public static void main(String[] arguments) throws Exception {
        HttpRequest request = HttpRequest.newBuilder(URI.create(arguments[0]))
            .header("Authorization", "Bearer " + arguments[1])
            .header("Content-Type", "application/json")
            .POST(HttpRequest.BodyPublishers.ofString(arguments[2]))
            .build();
        HttpClient client = HttpClient.newHttpClient();
        Set<String> protocols = new ConcurrentSkipListSet<>();
        Callable<Integer> calls = () -> {
            int lost = 0;
            for (int call = 0; call < CALLS_PER_THREAD; call++) {
                try {
                    HttpResponse<String> answer = client.send(request, HttpResponse.BodyHandlers.ofString());
                    protocols.add(answer.version().toString());
                    if (answer.statusCode() != 200) {
                        throw new IllegalStateException("status " + answer.statusCode());
                    }
                } catch (Exception error) {
                    System.err.println(error);
                    lost++;
                }
            }
            return lost;
        };
        var threads = Executors.newFixedThreadPool(THREADS);
        List<Future<Integer>> results = new ArrayList<>();
        for (int thread = 0; thread < THREADS; thread++) {
            results.add(threads.submit(calls));
        }
        int lost = 0;
        for (Future<Integer> result : results) {
            lost += result.get();
        }
        threads.shutdown();
        System.out.println(THREADS * CALLS_PER_THREAD + " calls, " + lost + " lost, protocol " + String.join(" ", protocols));
    }
}
