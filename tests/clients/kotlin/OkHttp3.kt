// What the generated client calls of OkHttp 4, for OkHttp 3 of Debian: the same, with the names of Kotlin.
package uk.example.lrs.infrastructure

import java.io.File
import okhttp3.Headers
import okhttp3.HttpUrl
import okhttp3.MediaType
import okhttp3.RequestBody
import okhttp3.Response
import okhttp3.ResponseBody

fun ByteArray.toRequestBody(type: MediaType? = null): RequestBody = RequestBody.create(type, this)
fun String.toRequestBody(type: MediaType? = null): RequestBody = RequestBody.create(type, this.toByteArray())
fun File.asRequestBody(type: MediaType? = null): RequestBody = RequestBody.create(type, this)
fun String.toHttpUrlOrNull(): HttpUrl? = HttpUrl.parse(this)
fun String.toMediaTypeOrNull(): MediaType? = MediaType.parse(this)
fun Map<String, String>.toHeaders(): Headers = Headers.of(this)

val Response.body: ResponseBody? get() = body()
val Response.code: Int get() = code()
val Response.message: String get() = message()
val Response.headers: Headers get() = headers()
